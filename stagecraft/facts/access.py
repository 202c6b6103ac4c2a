"""Who can log in now: sshd as it would start, its keys, and the firewall."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from dataclasses import dataclass, field

from stagecraft.facts.reading import Fact
from stagecraft.facts.services import Unit, UnitFact, parse_unit
from stagecraft.paths import AUTHORIZED_KEYS, FIREWALL_RULES, HOST_KEY
from stagecraft.services import SSHD

SSHD_OPTIONS = "/etc/default/ssh"
"""sshd's start options. Its unit reads them at start only; a reload keeps the old ones."""

REVERT = (
    "/var/lib/stagecraft/revert* /etc/systemd/system/stagecraft-revert.*"
    " /etc/systemd/system/*/stagecraft-revert.*"
)
"""Shell patterns of everything that arm_revert.sh creates; the other two scripts remove it."""

LIST_TABLE = "nft --stateless --terse list table inet stagecraft"

LOADED_RULES = (
    f"unshare --net sh -c 'nft -f {shlex.quote(FIREWALL_RULES)} && {LIST_TABLE}' 2>/dev/null"
)
"""Our rules as the kernel prints them, loaded in a separate network namespace."""


@dataclass(frozen=True)
class CurrentAccess:
    """Everything that decides who can log in.

    `armed`: a change waits to be confirmed or reverted, or files of the revert remain. `settings`
    are sshd's effective ones as `sshd -T` prints them, with lower-case names; `keys` are the
    accounts' lines in AUTHORIZED_KEYS. `firewall`: the kernel has the rules of our file. `foreign`
    are running units of other firewalls. `host_key` is the public ed25519 key.
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


def parse_access(lines: list[str]) -> CurrentAccess:
    """Reads lines of a kind and its value."""
    found: dict[str, list[str]] = {}
    for line in lines:
        kind, _, value = line.partition(" ")
        found.setdefault(kind, []).append(value)
    active = found.get("active", [])
    return CurrentAccess(
        armed="armed" in found,
        sshd=parse_unit(found.get("unit", [])),
        socket="ssh.socket" in active,
        settings=grouped(found.get("sshd", [])),
        keys=grouped(found.get("key", [])),
        firewall="loaded" in found,
        foreign=tuple(unit.removesuffix(".service") for unit in active if unit != "ssh.socket"),
        host_key=" ".join(found.get("host-key", [""])[0].split()[:2]),
    )


def grouped(lines: Iterable[str]) -> dict[str, list[str]]:
    """Groups lines by their first word."""
    result: dict[str, list[str]] = {}
    for line in lines:
        key, _, value = line.partition(" ")
        result.setdefault(key, []).append(value)
    return result


class CurrentAccessFact(Fact[CurrentAccess]):
    """Loads our firewall file in a separate network namespace, so that nft itself normalizes it for
    the comparison."""

    parse = staticmethod(parse_access)

    def command(self) -> str:
        unit = UnitFact().command(unit=SSHD, unit_files=[SSHD_OPTIONS], watched=["/etc/ssh"])
        return (
            f"{{ {unit}; }} | sed 's/^/unit /';"
            f" for path in {REVERT}; do"
            ' [ ! -e "$path" ] && [ ! -L "$path" ] || { echo armed; break; }; done;'
            " sshd -T -C user=root,host=localhost,addr=127.0.0.1 2>/dev/null | sed 's/^/sshd /';"
            f" sed 's/^/host-key /' {HOST_KEY}.pub 2>/dev/null;"
            f' for file in {AUTHORIZED_KEYS}/*; do [ ! -f "$file" ]'
            ' || sed "/^#/d; /^$/d; s|^|key ${file##*/} |" "$file"; done;'
            " systemctl list-units --plain --no-legend --state=active ssh.socket"
            " ufw.service firewalld.service | sed 's/^/active /; s/ loaded .*//';"
            f" live=$({LIST_TABLE} 2>/dev/null) &&"
            f' [ "$live" = "$({LOADED_RULES})" ] && echo loaded; true'
        )


@dataclass(frozen=True)
class Rule:
    """A line of our firewall, prefixed with its chain or set. `live` and `declared` count it in the
    kernel and in our file; for a chain's type and policy, they are that line itself."""

    text: str
    live: str
    declared: str


def parse_rules(lines: Iterable[str]) -> list[Rule]:
    """Reads two listings, each after a line with its name."""
    found: dict[str, dict[str, str]] = {"live": {}, "declared": {}}
    listing, block = found["live"], ""
    for line in map(str.strip, lines):
        if line.startswith("== "):
            listing = found[line[3:]]
        elif line.endswith("{"):
            block = line.removesuffix(" {")
        elif line.startswith("type ") and "; policy" in line:
            listing[f"{block}: policy"] = line
        elif line and line != "}":
            rule = f"{block}: {line}"
            listing[rule] = str(int(listing.get(rule, "0")) + 1)
    live, declared = found["live"], found["declared"]
    return [Rule(text, live.get(text, ""), declared.get(text, "")) for text in live | declared]


class FirewallFact(Fact[list[Rule]]):
    """All `Rule`s of our table, live and declared."""

    parse = staticmethod(parse_rules)

    def command(self) -> str:
        return f"echo '== live'; {LIST_TABLE} 2>/dev/null; echo '== declared'; {LOADED_RULES}; true"
