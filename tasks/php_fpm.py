"""PHP-FPM: an instance of its own for each site, with its own opcache, socket and sandbox."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pyinfra.api.deploy import deploy

from stagecraft.facts.machine import Machine
from stagecraft.operations import files
from stagecraft.operations.files import Check
from stagecraft.operations.nodes import Directory, Node
from stagecraft.operations.services import running
from stagecraft.paths import php_socket, php_unit_file
from stagecraft.render import file
from stagecraft.settings import Site
from stagecraft.sizes import cpu_weight, pool
from tasks.machine import php_version


@deploy("PHP-FPM")
def php_fpm(site: Site, machine: Machine) -> None:
    php = php_version(site, machine)
    unit_file = php_unit_file(site)
    directory = f"/etc/php/{php}/fpm/{site.name}"
    logs = f"/var/log/php-fpm-{site.name}"
    files.tree(
        name=f"Make {logs}",
        tree=f"php-fpm-logs-{site.name}",
        nodes=[Directory(logs, site.name, site.name, "750")],
    )
    written = files.tree(
        name=f"Write {directory}",
        tree=f"php-fpm-{site.name}",
        nodes=instance(directory, site, php, machine),
        check=Check(
            f"php-fpm{php} --test",
            # As the site's user: it opens the slow log, and would leave one that root owns.
            f"PHP_INI_SCAN_DIR=/etc/php/{php}/fpm/conf.d:{directory}"
            f" setpriv --reuid {site.name} --regid {site.name} --clear-groups"
            f" php-fpm{php} --test --fpm-config {directory}/php-fpm.conf",
            (f"/etc/php/{php}/fpm",),
            Path(unit_file).name,
        ),
    )
    running(
        name=f"Run PHP-FPM of {site.name}",
        unit=Path(unit_file).name,
        watched=[directory],
        unit_files=[unit_file],
        after=[written],
    )


def instance(directory: str, site: Site, php: str, machine: Machine) -> list[Node]:
    values: dict[str, Any] = {
        "site": site,
        "php": php,
        "pool": pool(site.php_fpm, machine),
        "socket": php_socket(site),
        "unit": Path(php_unit_file(site)).name,
        "cpu_weight": cpu_weight(site),
    }
    return [
        Directory(directory),
        file(f"{directory}/php-fpm.conf", "php-fpm/php-fpm.conf.j2", **values),
        file(f"{directory}/90-stagecraft.ini", "php-fpm/php.ini.j2", **values),
        file(php_unit_file(site), "php-fpm/unit.service.j2", **values),
        file(f"/etc/logrotate.d/php-fpm-{site.name}", "php-fpm/logrotate.j2", **values),
    ]
