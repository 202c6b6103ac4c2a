"""PHP-FPM: a separate instance for each site, with its own opcache, socket and sandbox."""

import shlex
from ipaddress import ip_address, ip_network
from posixpath import dirname
from typing import Any

from pyinfra.api.deploy import deploy

from stagecraft.facts.files import becoming
from stagecraft.facts.machine import Machine
from stagecraft.operations import files
from stagecraft.operations.files import Checker
from stagecraft.operations.nodes import Directory, Node
from stagecraft.operations.packages import Installed
from stagecraft.operations.services import RESTART, running
from stagecraft.packages import php_version
from stagecraft.render import file
from stagecraft.run import this_run
from stagecraft.services import RECOVERY, PhpFpm, php_directory, php_settings
from stagecraft.settings import Site
from stagecraft.sizes import cpu_weight, pool

UNREACHED = (
    "127.0.0.0/8",
    "::1/128",
    "169.254.0.0/16",
    "fe80::/10",
    "224.0.0.0/4",
    "ff00::/8",
    # Clouds' metadata that is not link-local: Azure, Oracle, Alibaba, Amazon, Google.
    "168.63.129.16/32",
    "192.0.0.192/32",
    "100.100.100.200/32",
    "fd00:ec2::254/128",
    "fd20:ce::254/128",
)
"""Denied by the unit, too: templates/reach/rules.nft.j2 closes these and more."""


@deploy("PHP-FPM")
def php_fpm(site: Site, installed: Installed) -> None:
    machine = this_run().machine
    php, service = php_version(site, machine), PhpFpm(site.name)
    unit_file, socket_unit_file = service.files
    directory = f"{php_directory(php)}/{site.name}"
    socket_written = files.tree(
        name=f"Write {socket_unit_file}",
        tree="socket",
        site=site.name,
        nodes=socket(site, service),
    )
    written = files.tree(
        name=f"Write {directory}",
        tree="php-fpm",
        site=site.name,
        nodes=instance(directory, site, php, machine),
        check=check(directory, site, php),
    )
    running(
        name=f"Run PHP-FPM of {site.name}",
        unit=service.unit,
        watched=[directory, *php_settings(php)],
        unit_files=[unit_file],
        after=[written, *installed.extends(php)],
    )
    # After PHP-FPM, which an earlier version let listen by itself: systemd starts no socket of a
    # running service, and starting the service starts its socket.
    running(
        name=f"Listen for PHP-FPM of {site.name}",
        unit=service.socket_unit,
        unit_files=[socket_unit_file],
        after=[socket_written],
        refresh=RESTART,
    )


def socket(site: Site, service: PhpFpm) -> list[Node]:
    return [
        # systemd creates it, but keeps the owner that an earlier version set.
        Directory(dirname(service.socket)),
        file(service.files[1], "php-fpm/unit.socket.j2", site=site, socket=service.socket),
    ]


def check(directory: str, site: Site, php: str) -> Checker:
    """Runs as the site's user: as root, it would create a slow log owned by root."""
    ini, shared = php_settings(php)
    return Checker(
        f"php-fpm{php} --test",
        f"PHP_INI_SCAN_DIR={shared}:{directory}"
        f" {shlex.join(becoming(site.name))}"
        f" php-fpm{php} --test --php-ini {ini}"
        f" --fpm-config {directory}/php-fpm.conf",
        (php_directory(php),),
        PhpFpm(site.name).unit,
    )


def instance(directory: str, site: Site, php: str, machine: Machine) -> list[Node]:
    service, size = PhpFpm(site.name), pool(site.php_fpm, machine)
    values: dict[str, Any] = {
        **sandbox(site, php, machine, size.memory_mb),
        "pool": size,
        "socket": service.socket,
        "socket_unit": service.socket_unit,
    }
    return [
        Directory(directory),
        file(f"{directory}/php-fpm.conf", "php-fpm/php-fpm.conf.j2", **values),
        file(f"{directory}/90-stagecraft.ini", "php-fpm/php.ini.j2", **values),
        file(service.files[0], "php-fpm/unit.service.j2", **values),
    ]


def sandbox(site: Site, php: str, machine: Machine, memory_mb: int) -> dict[str, Any]:
    """What php-fpm/sandbox.j2 and the units around it need."""
    service = PhpFpm(site.name)
    return {
        "site": site,
        "php": php,
        "memory_mb": memory_mb,
        "logs": service.logs,
        "temporary": service.temporary,
        "cpu_weight": cpu_weight(site),
        "unreached": UNREACHED,
        "reached": reached(site, machine),
        "recovery": RECOVERY,
    }


def reached(site: Site, machine: Machine) -> list[str]:
    """Exceptions for the unit: the machine's resolvers, and what is declared."""
    closed = [ip_network(network) for network in UNREACHED]
    resolvers = [
        resolver
        for resolver in machine.resolvers
        if any(ip_address(resolver) in network for network in closed)
    ]
    return [*resolvers, *(destination.address for destination in site.destinations)]
