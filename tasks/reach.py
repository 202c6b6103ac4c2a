"""Limits what a site's user can connect to: the internet, and declared addresses nearby."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pyinfra.api.deploy import deploy

from stagecraft.operations import files
from stagecraft.operations.files import Check
from stagecraft.operations.nodes import Directory, Node
from stagecraft.operations.reach import in_force
from stagecraft.operations.services import running
from stagecraft.paths import reach_rules, reach_table, reach_unit
from stagecraft.render import file
from stagecraft.settings import Server, Site

MOST_CONNECTIONS = 16384
"""Of one site, for as long as the kernel remembers them: half a minute for a question to a name
server, two minutes after a TCP connection has ended."""


@deploy("Reach")
def reach(site: Site, server: Server) -> None:
    rules, unit = reach_rules(site.name), reach_unit(site.name)
    unit_file = f"/etc/systemd/system/{unit}"
    written = files.tree(
        name=f"Write {rules}",
        tree="reach",
        site=site.name,
        nodes=nodes(site, server, rules, unit_file),
        # On a bare server its directory is still to be made, so there is none to bind.
        check=Check("nft --check", f'nft --check --file "$stage/live{rules}"', (), unit),
    )
    loaded = running(
        name=f"Limit what {site.name} connects to",
        unit=unit,
        watched=[rules],
        unit_files=[unit_file],
        after=[written],
    )
    in_force(
        name=f"Load the limits of what {site.name} connects to",
        site=site.name,
        after=[written, loaded],
    )


def nodes(site: Site, server: Server, rules: str, unit_file: str) -> list[Node]:
    values: dict[str, Any] = {
        "site": site,
        "table": reach_table(site.name),
        # Where nobody tracks connections, this must not begin with it.
        "tracked": server.host is not None and server.host.firewall is not None,
        "most_connections": MOST_CONNECTIONS,
    }
    return [
        Directory("/etc/stagecraft"),
        Directory(str(Path(rules).parent)),
        file(rules, "reach/rules.nft.j2", **values),
        file(unit_file, "reach/unit.service.j2", rules=rules, **values),
    ]
