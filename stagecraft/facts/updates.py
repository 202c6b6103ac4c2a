"""The state of security updates."""

from dataclasses import dataclass

from stagecraft.facts.reading import Fact


@dataclass(frozen=True)
class Updates:
    """`waiting` are packages with a newer version in Debian's security archive, according to apt's
    lists. The times, in seconds since the epoch or 0 for never: apt last fetched its lists; the
    security archive's list last changed here; unattended-upgrades last succeeded; it was
    configured; a reboot became due, for the packages `reboot_for`."""

    waiting: frozenset[str] = frozenset()
    lists: float = 0
    fetched: float = 0
    upgraded: float = 0
    declared: float = 0
    reboot: float = 0
    reboot_for: frozenset[str] = frozenset()


def parse_updates(lines: list[str]) -> Updates:
    """Reads tab-separated lines."""
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
    parse = staticmethod(parse_updates)
