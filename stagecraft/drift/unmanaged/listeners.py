"""Ports that something listens on and nobody declared."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from pyinfra.context import host

from stagecraft.drift.areas import Looked
from stagecraft.drift.declared import Declared
from stagecraft.drift.findings import Finding, Severity
from stagecraft.drift.unmanaged.findings import unmanaged
from stagecraft.engines import ENGINES
from stagecraft.facts.listeners import ListenersFact, Socket
from stagecraft.services import NGINX, SSHD

ADDRESS = r"networking|ifup@.+|NetworkManager|systemd-networkd|dhcpcd(?:@.+)?"
TIME = r"chrony|ntp|ntpsec|openntpd|systemd-timesyncd"
NAMES = r"systemd-resolved"

CLIENTS_OF_THE_NETWORK = {
    ("udp", 68): ADDRESS,
    ("udp", 546): ADDRESS,
    ("udp", 323): TIME,
    ("udp", 123): TIME,
    ("udp", 53): NAMES,
    ("tcp", 53): NAMES,
    ("udp", 5355): NAMES,
    ("tcp", 5355): NAMES,
}
"""The services of what providers' images have to get an address, the time and names. A process
calls itself as it likes; root alone decides what its unit is."""

FIRST_OWN_PORT = 32768
"""From here on the kernel gives ports to whoever asks out (ip_local_port_range): an open UDP port
is then a question that waits for its answer."""

ROUND_THE_FIREWALL = "docker.service"
"""Docker forwards the packets itself, before a chain for input sees them."""


WHERE_IT_IS_SET = {
    "nginx": "grep -rn listen /etc/nginx  # take it out, then: systemctl reload nginx",
    "ssh": "grep -rni port /etc/ssh/sshd_config*  # take it out, then: systemctl reload ssh",
} | {
    name: f"grep -rnE '(skip.networking|bind.address)' {engine.directory}  # leave it its socket,"
    f" or 127.0.0.1, then: systemctl restart {name}"
    for name, engine in ENGINES.items()
}


def ports(declared: Declared) -> Looked:
    sockets: list[Socket] = host.get_fact(ListenersFact)
    findings = list(undeclared(sockets, declared))
    known = {(s.protocol, s.port) for s in sockets if explained(s, declared)}
    return Looked(findings, declared=len(known), total=len(known) + len(findings))


def undeclared(sockets: Iterable[Socket], declared: Declared) -> Iterator[Finding]:
    """One finding for a port, whatever number of addresses and processes have it."""
    by_port: dict[tuple[str, int], list[Socket]] = {}
    for socket in sockets:
        if not explained(socket, declared):
            by_port.setdefault((socket.protocol, socket.port), []).append(socket)
    for (protocol, port), found in sorted(by_port.items()):
        yield finding(f"{port}/{protocol}", found, declared)


def explained(socket: Socket, declared: Declared) -> bool:
    settings = declared.settings
    if socket.protocol == "tcp" and socket.unit == SSHD:
        return socket.port == settings.ssh_port or settings.host is None
    if socket.protocol == "tcp" and socket.unit == NGINX:
        return socket.port in (80, 443)
    engine = settings.engine
    if socket.unit == engine.unit and socket.port in engine.ports:
        return socket.local and engine.settings not in declared.paths
    client = CLIENTS_OF_THE_NETWORK.get((socket.protocol, socket.port))
    if client and re.fullmatch(rf"(?:{client})\.service", socket.unit):
        return True
    if socket.protocol == "udp" and socket.port >= FIRST_OWN_PORT and socket.process:
        return True
    return (socket.protocol, socket.port) in openings(declared)


def openings(declared: Declared) -> set[tuple[str, int]]:
    host_ = declared.settings.host
    if host_ is None or host_.firewall is None:
        return set()
    return {(opening.protocol, opening.port) for opening in host_.firewall.open.values()}


def finding(thing: str, sockets: list[Socket], declared: Declared) -> Finding:
    first = sockets[0]
    addresses = ", ".join(sorted({socket.address for socket in sockets}))
    severity, reached = reach(sockets, declared)
    unit = f" of {first.unit}" if first.unit else ""
    return unmanaged(
        severity,
        "port",
        thing,
        expected="nobody listens: it is not declared",
        found=f"{first.process or 'the kernel'}{unit} listens on {addresses}, {reached}",
        remedy=remedy(first),
    )


def remedy(socket: Socket) -> str:
    """What is needed for other ports keeps running: only its setting is looked up."""
    name = socket.unit.removesuffix(".service")
    if name in WHERE_IT_IS_SET:
        return WHERE_IT_IS_SET[name]
    if socket.unit.endswith(".service"):
        return f"systemctl disable --now {socket.unit}"
    return f"ss -Hltunp '( sport = :{socket.port} )'  # then end that process"


def reach(sockets: list[Socket], declared: Declared) -> tuple[Severity, str]:
    """How bad it is, and who reaches it."""
    if all(socket.local for socket in sockets):
        return Severity.LOW, "this machine alone reaches it"
    if any(socket.unit == ROUND_THE_FIREWALL for socket in sockets):
        return Severity.CRITICAL, "and Docker lets everybody in, past the firewall"
    host_ = declared.settings.host
    if host_ and host_.firewall:
        return Severity.HIGH, "and only the firewall keeps everybody out"
    return Severity.CRITICAL, "and everybody reaches it"
