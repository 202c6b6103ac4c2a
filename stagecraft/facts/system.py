"""System-wide state of the kernel and systemd."""

import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from stagecraft.facts.reading import Fact, by_kind


@dataclass(frozen=True)
class System:
    """`hosts` are the names in /etc/hosts; `core_limit` is systemd's for services."""

    hostname: str = ""
    hosts: frozenset[str] = frozenset()
    locales: frozenset[str] = frozenset()
    container: bool = False
    swap: bool = False
    core_limit: str = ""


class SystemFact(Fact[System]):
    def process(self, output: list[str]) -> System:
        found = by_kind(output, " ")
        return System(
            hostname="".join(found["hostname"]),
            hosts=frozenset(name for line in found["hosts"] for name in line.split()[1:]),
            locales=frozenset(name.lower().replace("-", "") for name in found["locale"]),
            container="container" in found,
            swap="swap" in found,
            core_limit="".join(found["core-limit"]),
        )


def parse_sysctl(lines: Iterable[str]) -> dict[str, str]:
    """Reads lines of `/proc/sys/<key>:<value>`; the keys are as sysctl writes them."""
    pairs = (line.removeprefix("/proc/sys/").split(":", 1) for line in lines)
    return {path.replace("/", "."): " ".join(value.split()) for path, value in pairs}


class SysctlFact(Fact[dict[str, str]]):
    """The live values of kernel settings, except those that a container cannot set."""

    def command(self, keys: Sequence[str]) -> str:
        paths = " ".join(shlex.quote(f"/proc/sys/{key.replace('.', '/')}") for key in keys)
        return (
            f'set --; for path in {paths}; do [ ! -w "$path" ] || set -- "$@" "$path"; done;'
            # Not the shell's read, which reads byte by byte: the kernel only returns a value whole.
            ' [ $# = 0 ] || grep -H "" -- "$@"'
        )

    def process(self, output: list[str]) -> dict[str, str]:
        return parse_sysctl(output)
