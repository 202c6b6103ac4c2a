"""Who can get into the machine now: sshd as it would start, its keys, and the firewall."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from dataclasses import dataclass, field

from pyinfra.api.facts import FactBase

from stagecraft.facts.reading import reading
from stagecraft.facts.services import Unit, UnitFact, parse_unit
from stagecraft.paths import AUTHORIZED_KEYS, FIREWALL_RULES, HOST_KEY

SSHD = "ssh.service"

LIST_TABLE = "nft --stateless --terse list table inet stagecraft"


@dataclass(frozen=True)
class Ways:
    """The ways into a machine.

    `armed` means that a change waits to be confirmed or undone; `settings` are sshd's effective
    ones as `sshd -T` prints them, by their name in lower case; `keys` are the accounts' lines in
    AUTHORIZED_KEYS; `firewall` says that the kernel has the rules of our file; `foreign` are other
    firewalls' units that run; `host_key` is the public ed25519 key.
    """

    armed: bool = False
    sshd: Unit = field(default_factory=Unit)
    socket: bool = False
    settings: dict[str, list[str]] = field(default_factory=dict)
    keys: dict[str, list[str]] = field(default_factory=dict)
    firewall: bool = False
    foreign: tuple[str, ...] = ()
    host_key: str = ""

    @property
    def ports(self) -> list[int]:
        return sorted({int(port) for port in self.settings.get("port", [])})


def parse_ways(lines: list[str]) -> Ways:
    """Reads what `WaysFact.command` prints: a kind, then its value."""
    found: dict[str, list[str]] = {}
    for line in lines:
        kind, _, value = line.partition(" ")
        found.setdefault(kind, []).append(value)
    return Ways(
        armed="armed" in found,
        sshd=parse_unit(found.get("unit", [])),
        socket="socket" in found,
        settings=grouped(found.get("sshd", [])),
        keys=grouped(found.get("key", [])),
        firewall="loaded" in found,
        foreign=tuple(found.get("foreign", [])),
        host_key=" ".join(found.get("host-key", [""])[0].split()[:2]),
    )


def grouped(lines: Iterable[str]) -> dict[str, list[str]]:
    """Lines by their first word."""
    result: dict[str, list[str]] = {}
    for line in lines:
        key, _, value = line.partition(" ")
        result.setdefault(key, []).append(value)
    return result


class WaysFact(FactBase[Ways]):
    """The `Ways` into the machine. What the kernel filters is compared with our file by loading
    that in a network of its own, so that nft itself says how it reads it."""

    @reading
    def command(self) -> str:
        unit = UnitFact().command(unit=SSHD, unit_files=[], watched=["/etc/ssh"])
        rules = shlex.quote(FIREWALL_RULES)
        loaded = f"unshare --net sh -c 'nft -f {rules} && {LIST_TABLE}' 2>/dev/null"
        return (
            f"{{ {unit}; }} | sed 's/^/unit /';"
            " [ ! -d /var/lib/stagecraft/revert ] || echo armed;"
            " ! systemctl is-active --quiet ssh.socket || echo socket;"
            " sshd -T -C user=root,host=localhost,addr=127.0.0.1 2>/dev/null | sed 's/^/sshd /';"
            f" sed 's/^/host-key /' {HOST_KEY}.pub 2>/dev/null;"
            f' for file in {AUTHORIZED_KEYS}/*; do [ ! -f "$file" ]'
            ' || sed "/^#/d; /^$/d; s|^|key ${file##*/} |" "$file"; done;'
            " for unit in ufw firewalld; do"
            ' ! systemctl is-active --quiet $unit.service || echo "foreign $unit"; done;'
            f' live=$({LIST_TABLE} 2>/dev/null) && [ "$live" = "$({loaded})" ] && echo loaded; true'
        )

    @staticmethod
    def default() -> Ways:
        return Ways()

    def process(self, output: list[str]) -> Ways:
        return parse_ways(output)
