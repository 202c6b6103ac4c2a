"""The firewall: drops everything that is not declared, on IPv4 and IPv6."""

from pathlib import Path

from stagecraft.operations.nodes import Directory, Link, Node
from stagecraft.paths import FIREWALL_RULES
from stagecraft.render import file
from stagecraft.services import FIREWALL, WEB_PORTS, unit_file
from stagecraft.settings.host import Firewall

UNIT = unit_file(FIREWALL)
AT_BOOT = unit_file(f"sysinit.target.wants/{FIREWALL}")

SSH_RATE = 30
"""New connections per minute from one address. A run needs two."""

SSH_BURST = 30

WEB_CONNECTIONS = 256
"""Concurrent connections from one address: a third of an nginx worker's in Debian's nginx.conf."""


def home() -> list[Node]:
    return [Directory("/etc/stagecraft"), Directory(str(Path(FIREWALL_RULES).parent))]


def nodes(ssh_ports: list[int], settings: Firewall) -> list[Node]:
    return [
        file(
            FIREWALL_RULES,
            "firewall/rules.nft.j2",
            ssh_ports=ssh_ports,
            web_ports=WEB_PORTS,
            firewall=settings,
            rate=SSH_RATE,
            burst=SSH_BURST,
            connections=WEB_CONNECTIONS,
        ),
        file(UNIT, "firewall/unit.service.j2", rules=FIREWALL_RULES),
        Link(AT_BOOT, UNIT),
    ]


def public(settings: Firewall) -> list[str]:
    """Ports open to everybody in addition to SSH, as the plan names them."""
    ours = [f"{port}/{protocol}" for protocol, ports in WEB_PORTS.items() for port in ports]
    openings = [
        f"{opening.port}/{opening.protocol}"
        for opening in settings.open.values()
        if not opening.sources
    ]
    return [*ours, *openings]
