"""How far security updates have come on a machine."""

from __future__ import annotations

from dataclasses import dataclass

from stagecraft.facts.reading import Fact


@dataclass(frozen=True)
class Updates:
    """`waiting` are the packages with a newer version in Debian's security archive, as far as apt
    knows. Moments are seconds since the epoch, 0 where it has not happened: when apt last asked
    for its lists, when the security archive's last changed here, when unattended-upgrades last
    succeeded, when it was told to, and when a reboot became due, for the packages `reboot_for`."""

    waiting: frozenset[str] = frozenset()
    lists: float = 0
    fetched: float = 0
    upgraded: float = 0
    declared: float = 0
    reboot: float = 0
    reboot_for: frozenset[str] = frozenset()


def parse_updates(lines: list[str]) -> Updates:
    """Reads the tab-separated lines of `updates.sh`."""
    found: dict[str, list[str]] = {}
    for line in lines:
        kind, value = line.split("\t")
        found.setdefault(kind, []).append(value)

    def newest(kind: str) -> float:
        return max(map(float, found.get(kind, [])), default=0)

    return Updates(
        waiting=frozenset(found.get("waiting", [])),
        lists=newest("lists"),
        fetched=newest("fetched"),
        upgraded=newest("upgraded"),
        declared=newest("declared"),
        reboot=newest("reboot"),
        reboot_for=frozenset(found.get("reboot-for", [])),
    )


class UpdatesFact(Fact[Updates]):
    """The machine's `Updates`."""

    parse = staticmethod(parse_updates)
