"""A site's logs: rotated by its own service, and kept for a week."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pyinfra.api.deploy import deploy

from stagecraft.claims import Claims
from stagecraft.operations import files
from stagecraft.operations.nodes import Directory, Node
from stagecraft.operations.services import RESTART, running
from stagecraft.paths import logrotate_service_file, logrotate_timer_file, php_logs
from stagecraft.render import file
from stagecraft.settings import Site
from stagecraft.sizes import cpu_weight

DAYS = 7


def claimed(site: Site) -> Claims:
    return Claims((logrotate_service_file(site), logrotate_timer_file(site)))


@deploy("Logs")
def logs(site: Site) -> None:
    service, timer = logrotate_service_file(site), logrotate_timer_file(site)
    files.tree(
        name=f"Make {php_logs(site)}",
        tree="logs",
        site=site.name,
        nodes=[Directory(php_logs(site), site.name, site.name, "750")],
    )
    written = files.tree(
        name=f"Write {service} and its timer",
        tree="logrotate",
        site=site.name,
        nodes=rotation(site),
    )
    running(
        name=f"Rotate the logs of {site.name}",
        unit=Path(timer).name,
        # Both files: starting the timer makes systemd read the service, too.
        unit_files=[service, timer],
        after=[written],
        refresh=RESTART,
    )


def rotation(site: Site) -> list[Node]:
    directory = "/etc/stagecraft/logrotate"
    values: dict[str, Any] = {
        "site": site,
        "configuration": f"{directory}/{site.name}.conf",
        "php_logs": php_logs(site),
        "app_logs": f"{site.home}/shared/storage/logs",
        "days": DAYS,
        "cpu_weight": cpu_weight(site),
    }
    return [
        Directory("/etc/stagecraft"),
        Directory(directory),
        file(values["configuration"], "logs/logrotate.conf.j2", **values),
        file(logrotate_service_file(site), "logs/unit.service.j2", **values),
        file(logrotate_timer_file(site), "logs/unit.timer.j2", **values),
    ]
