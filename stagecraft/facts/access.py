"""Who can log in now: sshd as it would start, its keys, and the firewall."""

import shlex
from dataclasses import dataclass, field

from stagecraft.facts.reading import Fact, by_kind
from stagecraft.facts.services import Unit, UnitFact, parse_unit
from stagecraft.paths import AUTHORIZED_KEYS, FIREWALL_RULES, HOST_KEY
from stagecraft.services import SSHD

SSHD_OPTIONS = "/etc/default/ssh"
"""sshd's start options. Its unit reads them at start only; a reload keeps the old ones."""

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


class CurrentAccessFact(Fact[CurrentAccess]):
    """Has nft itself normalize our firewall file, by loading it in a separate network namespace."""

    def command(self) -> str:
        unit = UnitFact().command(unit=SSHD, unit_files=[SSHD_OPTIONS], watched=["/etc/ssh"])
        ways = self.script(host_key=HOST_KEY, authorized_keys=AUTHORIZED_KEYS)
        return (
            f"{{\n{unit}}} | sed 's/^/unit /'\n{ways}"
            f"live=$({LIST_TABLE} 2>/dev/null) &&"
            f' [ "$live" = "$({LOADED_RULES})" ] && echo loaded; true'
        )

    def process(self, output: list[str]) -> CurrentAccess:
        found = by_kind(output, " ")
        active = found["active"]
        return CurrentAccess(
            armed="armed" in found,
            sshd=parse_unit(found["unit"]),
            socket="ssh.socket" in active,
            settings=by_kind(found["sshd"], " "),
            keys=by_kind(found["key"], " "),
            firewall="loaded" in found,
            foreign=tuple(unit.removesuffix(".service") for unit in active if unit != "ssh.socket"),
            host_key=" ".join("".join(found["host-key"]).split()[:2]),
        )


@dataclass(frozen=True)
class Rule:
    """A line of our firewall, prefixed with its chain or set. `live` and `declared` count it in the
    kernel and in our file; for a chain's type and policy, they are that line itself."""

    text: str
    live: str
    declared: str


class FirewallFact(Fact[list[Rule]]):
    """All `Rule`s of our table, live and declared."""

    def command(self) -> str:
        return f"echo '== live'; {LIST_TABLE} 2>/dev/null; echo '== declared'; {LOADED_RULES}; true"

    def process(self, output: list[str]) -> list[Rule]:
        found: dict[str, dict[str, str]] = {"live": {}, "declared": {}}
        listing, block = found["live"], ""
        for line in map(str.strip, output):
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
