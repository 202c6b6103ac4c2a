"""System-wide state of the kernel and systemd."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from stagecraft.facts.reading import Fact


@dataclass(frozen=True)
class System:
    """`hosts` are the names in /etc/hosts; `swap` says whether there is any; `core_limit` is
    systemd's for services."""

    hostname: str = ""
    hosts: frozenset[str] = frozenset()
    locales: frozenset[str] = frozenset()
    container: bool = False
    swap: bool = False
    core_limit: str = ""


def parse_system(lines: list[str]) -> System:
    """Reads lines of a kind and its value."""
    found: dict[str, list[str]] = {}
    for line in lines:
        kind, _, value = line.partition(" ")
        found.setdefault(kind, []).append(value)
    return System(
        hostname=found.get("hostname", [""])[0],
        hosts=frozenset(name for line in found.get("hosts", []) for name in line.split()[1:]),
        locales=frozenset(name.lower().replace("-", "") for name in found.get("locale", [])),
        container="container" in found,
        swap="swap" in found,
        core_limit=found.get("core-limit", [""])[0],
    )


class SystemFact(Fact[System]):
    parse = staticmethod(parse_system)

    def command(self) -> str:
        return (
            'echo "hostname $(cat /proc/sys/kernel/hostname) $(cat /etc/hostname 2>/dev/null)";'
            " sed 's/#.*//; s/^/hosts /' /etc/hosts;"
            " locale -a 2>/dev/null | sed 's/^/locale /';"
            " ! systemd-detect-virt --quiet --container || echo container;"
            " ! sed 1d /proc/swaps 2>/dev/null | grep -q . || echo swap;"
            ' echo "core-limit $(systemctl show --property=DefaultLimitCORE --value)"'
        )


def parse_sysctl(lines: list[str]) -> dict[str, str]:
    """Reads lines of `/proc/sys/<key>:<value>`; the keys are as sysctl writes them."""
    pairs = (line.removeprefix("/proc/sys/").split(":", 1) for line in lines)
    return {path.replace("/", "."): " ".join(value.split()) for path, value in pairs}


class SysctlFact(Fact[dict[str, str]]):
    """The live values of the given kernel settings. Leaves out those that a container shares with
    its host and cannot set."""

    parse = staticmethod(parse_sysctl)

    def command(self, keys: Sequence[str]) -> str:
        paths = " ".join(shlex.quote(f"/proc/sys/{key.replace('.', '/')}") for key in keys)
        return (
            f'set --; for path in {paths}; do [ ! -w "$path" ] || set -- "$@" "$path"; done;'
            # Not the shell's read, which reads byte by byte: the kernel only returns a value whole.
            ' [ $# = 0 ] || grep -H "" -- "$@"'
        )
