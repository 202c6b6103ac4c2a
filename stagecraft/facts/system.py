"""What the kernel and systemd say of the machine as a whole."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field

from pyinfra.api.facts import FactBase

from stagecraft.facts.reading import reading


@dataclass(frozen=True)
class System:
    """A machine as it runs. `sysctl` are the given kernel settings that can be set from within,
    as they are; `swap` says that there is some, `core_limit` is systemd's for services."""

    hostname: str = ""
    in_hosts: bool = False
    locales: frozenset[str] = frozenset()
    container: bool = False
    swap: bool = False
    core_limit: str = ""
    sysctl: dict[str, str] = field(default_factory=dict)


def parse_system(lines: list[str]) -> System:
    """Reads what `SystemFact.command` prints: a kind, then its value."""
    found: dict[str, list[str]] = {}
    for line in lines:
        kind, _, value = line.partition(" ")
        found.setdefault(kind, []).append(value)
    return System(
        hostname=found.get("hostname", [""])[0],
        in_hosts="in-hosts" in found,
        locales=frozenset(name.lower().replace("-", "") for name in found.get("locale", [])),
        container="container" in found,
        swap="swap" in found,
        core_limit=found.get("core-limit", [""])[0],
        sysctl=dict(pair.split(" ", 1) for pair in found.get("sysctl", [])),
    )


class SystemFact(FactBase[System]):
    """The `System`. What a container shares with its machine cannot be set from within: such a
    kernel setting is left out."""

    @reading
    def command(self, hostname: str, sysctl: Sequence[str] = ()) -> str:
        paths = " ".join(shlex.quote(key) for key in sysctl)
        return (
            'echo "hostname $(cat /proc/sys/kernel/hostname) $(cat /etc/hostname 2>/dev/null)";'
            f" ! grep -qwF {shlex.quote(hostname)} /etc/hosts || echo in-hosts;"
            " locale -a 2>/dev/null | sed 's/^/locale /';"
            " ! systemd-detect-virt --quiet --container || echo container;"
            " ! sed 1d /proc/swaps 2>/dev/null | grep -q . || echo swap;"
            ' echo "core-limit $(systemctl show --property=DefaultLimitCORE --value)";'
            f" for key in {paths}; do path=/proc/sys/$(echo $key | tr . /);"
            ' [ ! -w "$path" ] || echo "sysctl $key $(cat "$path")"; done; true'
        )

    @staticmethod
    def default() -> System:
        return System()

    def process(self, output: list[str]) -> System:
        return parse_system(output)
