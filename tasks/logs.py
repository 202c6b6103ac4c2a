"""The logs of a site's PHP and app, rotated by a service of its own and kept for a week. Debian
rotates nginx' logs, and the journal has those of the other services."""

from posixpath import dirname
from typing import Any

from pyinfra.api.deploy import deploy

from stagecraft.operations import files
from stagecraft.operations.nodes import Directory, Node
from stagecraft.operations.services import RESTART, running
from stagecraft.render import file
from stagecraft.services import Logs, PhpFpm
from stagecraft.settings import Site
from stagecraft.sizes import cpu_weight

DAYS = 7


@deploy("Logs")
def logs(site: Site) -> None:
    of_php, service = PhpFpm(site.name).logs, Logs(site.name)
    files.tree(
        name=f"Make {of_php}",
        tree="logs",
        site=site.name,
        nodes=[Directory(of_php, site.name, site.name, "750")],
    )
    written = files.tree(
        name=f"Write {service.files[0]} and its timer",
        tree="logrotate",
        site=site.name,
        nodes=rotation(site),
    )
    running(
        name=f"Rotate the logs of {site.name}",
        unit=service.timer,
        # Both files: starting the timer makes systemd read the service, too.
        unit_files=service.files,
        after=[written],
        refresh=RESTART,
    )


def rotation(site: Site) -> list[Node]:
    logs = Logs(site.name)
    service, timer = logs.files
    values: dict[str, Any] = {
        "site": site,
        "configuration": logs.configuration,
        "php_logs": PhpFpm(site.name).logs,
        "temporary": PhpFpm(site.name).temporary,
        "app_logs": f"{site.home}/shared/storage/logs",
        "days": DAYS,
        "cpu_weight": cpu_weight(site),
    }
    return [
        Directory("/etc/stagecraft"),
        Directory(dirname(logs.configuration)),
        file(logs.configuration, "logs/logrotate.conf.j2", **values),
        file(service, "logs/unit.service.j2", **values),
        file(timer, "logs/unit.timer.j2", **values),
    ]
