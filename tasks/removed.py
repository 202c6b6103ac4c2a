"""Sites that were installed and are not declared any more: what serves them goes, data stays."""

from __future__ import annotations

from pyinfra import logger
from pyinfra.api.deploy import deploy
from pyinfra.context import host

from stagecraft.manifest import manifest
from stagecraft.operations import certificates, files
from stagecraft.operations.nginx import RELOAD
from stagecraft.operations.services import reloaded, stopped
from stagecraft.paths import APPS
from stagecraft.settings import Environment
from tasks.nginx import read_by_nginx


@deploy("Removed sites")
def removed_sites(environment: Environment) -> None:
    """Comes when nginx asks them nothing any more."""
    withdrawn = []
    for name in manifest().removed_sites():
        stopped(name=f"Stop PHP-FPM of {name}", unit=f"php-fpm@{name}.service")
        stopped(name=f"Stop Redis of {name}", unit=f"redis-server@{name}.service")
        for service in ("php-fpm", "redis"):
            files.tree(name=f"Take away {service} of {name}", tree=f"{service}-{name}", nodes=[])
        withdrawn.append(
            certificates.withdrawn(name=f"Withdraw the certificate of {name}", site=name)
        )
        logger.info(
            f"{host.print_prefix}{name} is not declared any more; what stays of it: {APPS}/{name},"
            f" its logs, its Redis data in /var/lib/redis-{name}, and its database until it is"
            " declared with present: false"
        )
    if withdrawn:
        reloaded(
            name="Have nginx let go of their certificates",
            unit="nginx.service",
            watched=read_by_nginx(environment),
            after=withdrawn,
            refresh=RELOAD,
        )
