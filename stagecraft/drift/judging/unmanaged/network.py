"""Undeclared listening ports and packet filter tables."""

import re
from collections.abc import Iterator

from stagecraft.drift.findings import Class, Coverage, Finding, Kind, Severity
from stagecraft.drift.judging.remedies import shortened
from stagecraft.drift.looking.server import Declared, ask
from stagecraft.engines import ENGINES
from stagecraft.facts.listeners import ListenersFact, Socket
from stagecraft.facts.packet_filters import LEGACY, FiltersFact, Table
from stagecraft.facts.programs import ProgramsFact
from stagecraft.services import NGINX, SSHD, WEB_PORTS, Reach

PORT = Kind(Class.UNMANAGED, "port", "nothing listens: no opening is declared")
TABLE = Kind(Class.UNMANAGED, "firewall table")

CLIENTS_OF_THE_NETWORK = {
    r"networking|ifup@.+|NetworkManager|systemd-networkd|dhcpcd(?:@.+)?": {"udp/68", "udp/546"},
    r"chrony|ntp|ntpsec|openntpd|systemd-timesyncd": {"udp/123", "udp/323"},
    r"systemd-resolved": {"udp/53", "tcp/53", "udp/5355", "tcp/5355"},
}
"""The ports of services by which providers' images get an address, the time and names. They are
identified by unit: only root decides on that, while processes choose their own names."""

FIRST_OWN_PORT = 32768
"""The first ephemeral port (ip_local_port_range): an open UDP port above it is a query that waits
for its answer."""

PAST_THE_FIREWALL = "docker.service"
"""Docker forwards packets before an input chain sees them."""

WHERE_IT_IS_SET = {
    "nginx": "grep -rn listen /etc/nginx  # take it out, then: systemctl reload nginx",
    "ssh": "grep -rni port /etc/ssh/sshd_config*  # take it out, then: systemctl reload ssh",
} | {
    name: f"grep -rnE '(skip.networking|bind.address)' {engine.directory}  # leave it its socket,"
    f" or 127.0.0.1, then: systemctl restart {name}"
    for name, engine in ENGINES.items()
}

MANY = 16
"""The number of a unit's ports with findings of their own: it can open thousands."""


def ports(declared: Declared) -> Iterator[Finding | Coverage]:
    """One finding per port, for all its addresses and processes, and one for all ports of a unit
    with many."""
    by_port: dict[tuple[int, str], list[Socket]] = {}
    by_unit: dict[tuple[str, str], list[Socket]] = {}
    known: set[tuple[int, str]] = set()
    for socket in ask(ListenersFact):
        if explained(socket, declared):
            known.add((socket.port, socket.protocol))
        else:
            by_port.setdefault((socket.port, socket.protocol), []).append(socket)
            by_unit.setdefault((socket.unit, socket.protocol), []).append(socket)
    yield Coverage(declared=len(known))
    many = {key for key, of_unit in by_unit.items() if len({s.port for s in of_unit}) > MANY}
    for unit, protocol in sorted(many):
        yield finding(f"{unit or 'no unit'}/{protocol}", by_unit[unit, protocol], declared)
    for (port, protocol), listening in sorted(by_port.items()):
        if few := [socket for socket in listening if (socket.unit, protocol) not in many]:
            yield finding(f"{port}/{protocol}", few, declared)


def finding(name: str, sockets: list[Socket], declared: Declared) -> Finding:
    first, host = sockets[0], declared.settings.host
    addresses = shortened(sorted({socket.address for socket in sockets}), MANY)
    if all(socket.local for socket in sockets):
        severity, reached = Severity.LOW, "reachable from this machine alone"
    elif any(socket.unit == PAST_THE_FIREWALL for socket in sockets):
        severity = Severity.CRITICAL
        reached = "reachable from everywhere: Docker bypasses the firewall"
    elif host and host.firewall:
        severity, reached = Severity.HIGH, "blocked by the firewall alone"
    else:
        severity, reached = Severity.CRITICAL, "reachable from everywhere"
    if {socket.pid for socket in sockets} & left_behind_by_root():
        severity = Severity.CRITICAL
    unit = f" of {first.unit}" if first.unit else ""
    return PORT.finding(
        name,
        severity=severity,
        found=f"{first.process or 'the kernel'}{unit} listens on {addresses}, {reached}",
        remedy=closed(first),
    )


def undeclared(declared: Declared) -> list[Socket]:
    return [socket for socket in ask(ListenersFact) if not explained(socket, declared)]


def left_behind_by_root() -> set[int]:
    """Processes that no unit and no login keeps running."""
    alone = (one for one in ask(ProgramsFact) if not one.kept_by and one.user == "root")
    return {pid for program in alone for pid in program.pids}


def explained(socket: Socket, declared: Declared) -> bool:
    settings = declared.settings
    if socket.protocol == "tcp" and socket.unit == SSHD:
        return socket.port == settings.ssh_port or settings.host is None
    if socket.protocol in WEB_PORTS and socket.unit == NGINX:
        return socket.port in WEB_PORTS[socket.protocol]
    engine = settings.engine
    if socket.unit == engine.unit and socket.port in engine.ports:
        return socket.local and engine.settings not in declared.paths
    port = f"{socket.protocol}/{socket.port}"
    for client, ports in CLIENTS_OF_THE_NETWORK.items():
        if port in ports and re.fullmatch(rf"(?:{client})\.service", socket.unit):
            return True
    if socket.protocol == "udp" and socket.port >= FIRST_OWN_PORT and socket.process:
        return True
    firewall = settings.host and settings.host.firewall
    opened = firewall.open.values() if firewall else ()
    return any((o.protocol, o.port) == (socket.protocol, socket.port) for o in opened)


def closed(socket: Socket) -> str:
    """A service that other ports need keeps running: only its setting is looked up."""
    stop = f"ss -Hltunp '( sport = :{socket.port} )'  # then end that process"
    if socket.unit.endswith(".service"):
        stop = f"systemctl disable --now {socket.unit}"
    return WHERE_IT_IS_SET.get(socket.unit.removesuffix(".service"), stop)


def firewall_tables(declared: Declared) -> Iterator[Finding | Coverage]:
    """Empty for a machine whose firewall is somebody else's. Other areas report differences in our
    tables, which are all of family inet."""
    settings = declared.settings.host
    if settings is None or settings.firewall is None:
        return
    ours = {"stagecraft", *(Reach(site).table for site in declared.site_names)}
    yield Coverage(declared=len(ours))
    for table in ask(FiltersFact):
        own = table.family == "inet" and table.name in ours
        if own or table.idle or table.fail2ban:
            continue
        old = " of the old iptables" if table.family in LEGACY else ""
        closed = f", and it drops what no rule of {', '.join(table.drops)} lets through"
        yield TABLE.finding(
            f"{table.family} {table.name}",
            found=f"{table.rules} rules{old}" + (closed if table.drops else ""),
            remedy=removed(table),
        )


def removed(table: Table) -> str:
    """A legacy table exists as long as the kernel runs, so it is emptied. Its drop policies must
    change first, or removing the rules would block everybody."""
    if table.family not in LEGACY:
        return f"nft delete table {table.family} {table.name}"
    program = f"{LEGACY[table.family]} --table {table.name}"
    opened = [f"{program} --policy {chain} ACCEPT" for chain in table.drops]
    return " && ".join([*opened, f"{program} --flush", f"{program} --delete-chain"])
