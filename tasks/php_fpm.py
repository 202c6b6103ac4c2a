"""PHP-FPM: an instance of its own for each site, with its own opcache, socket and sandbox."""

from __future__ import annotations

from typing import Any

from pyinfra.api.deploy import deploy

from stagecraft.facts.machine import Machine
from stagecraft.operations import files
from stagecraft.operations.files import Check
from stagecraft.operations.nodes import Directory
from stagecraft.operations.services import running
from stagecraft.paths import php_socket
from stagecraft.render import file
from stagecraft.settings import Site
from stagecraft.sizes import pool
from tasks.machine import php_version


@deploy("PHP-FPM")
def php_fpm(site: Site, machine: Machine) -> None:
    php = php_version(site, machine)
    unit = f"php-fpm@{site.name}.service"
    unit_file = f"/etc/systemd/system/{unit}"
    directory = f"/etc/php/{php}/fpm/{site.name}"
    values: dict[str, Any] = {
        "site": site,
        "php": php,
        "pool": pool(site.php_fpm, machine),
        "socket": php_socket(site),
        "unit": unit,
    }
    logs = f"/var/log/php-fpm-{site.name}"
    files.tree(
        name=f"Make {logs}",
        tree=f"php-fpm-logs-{site.name}",
        nodes=[Directory(logs, site.name, site.name, "750")],
    )
    written = files.tree(
        name=f"Write {directory}",
        tree=f"php-fpm-{site.name}",
        nodes=[
            Directory(directory),
            file(f"{directory}/php-fpm.conf", "php-fpm/php-fpm.conf.j2", **values),
            file(f"{directory}/90-stagecraft.ini", "php-fpm/php.ini.j2", **values),
            file(unit_file, "php-fpm/unit.service.j2", **values),
            file(f"/etc/logrotate.d/php-fpm-{site.name}", "php-fpm/logrotate.j2", **values),
        ],
        check=Check(
            f"php-fpm{php} --test",
            # As the site's user: it opens the slow log, and would leave one that root owns.
            f"PHP_INI_SCAN_DIR=/etc/php/{php}/fpm/conf.d:{directory}"
            f" setpriv --reuid {site.name} --regid {site.name} --clear-groups"
            f" php-fpm{php} --test --fpm-config {directory}/php-fpm.conf",
            (f"/etc/php/{php}/fpm",),
        ),
    )
    running(
        name=f"Run PHP-FPM of {site.name}",
        unit=unit,
        watched=[directory],
        unit_files=[unit_file],
        after=[written],
    )
