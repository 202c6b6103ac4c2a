"""Limits what a site's user can connect to: the internet, and declared addresses nearby."""

from posixpath import dirname
from typing import Any

from pyinfra.api.deploy import deploy

from stagecraft.operations import files
from stagecraft.operations.files import Checker
from stagecraft.operations.nodes import Directory, Node
from stagecraft.operations.reach import in_force
from stagecraft.operations.services import running
from stagecraft.render import file
from stagecraft.run import this_run
from stagecraft.services import WEB_PORTS, Reach, unit_file
from stagecraft.settings import Server, Site

MOST_CONNECTIONS = 16384
"""Per site, as long as the kernel tracks them: half a minute for a DNS query, two minutes after a
TCP connection has ended."""


@deploy("Reach")
def reach(site: Site) -> None:
    service = Reach(site.name)
    rules, unit = service.rules, service.unit
    written = files.tree(
        name=f"Write {rules}",
        tree="reach",
        site=site.name,
        nodes=nodes(site, this_run().environment.server),
        # On a new server its directory does not exist yet, so there is none to bind.
        check=Checker("nft --check", f'nft --check --file "$stage/live{rules}"', (), unit),
    )
    loaded = running(
        name=f"Limit what {site.name} connects to",
        unit=unit,
        watched=[rules],
        unit_files=[unit_file(unit)],
        after=[written],
    )
    in_force(
        name=f"Load the limits of what {site.name} connects to",
        site=site.name,
        after=[written, loaded],
    )


def nodes(site: Site, server: Server) -> list[Node]:
    service = Reach(site.name)
    values: dict[str, Any] = {
        "site": site,
        "table": service.table,
        "web_ports": WEB_PORTS,
        # Without a firewall of ours, connections may be untracked, and this must not start
        # tracking.
        "tracked": server.host is not None and server.host.firewall is not None,
        "most_connections": MOST_CONNECTIONS,
    }
    return [
        Directory("/etc/stagecraft"),
        Directory(dirname(service.rules)),
        file(service.rules, "reach/rules.nft.j2", **values),
        file(unit_file(service.unit), "reach/unit.service.j2", rules=service.rules, **values),
    ]
