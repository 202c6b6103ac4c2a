"""The state of security updates."""

from dataclasses import dataclass

from stagecraft.facts.reading import Fact, by_kind


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


class UpdatesFact(Fact[Updates]):
    def process(self, output: list[str]) -> Updates:
        found = by_kind(output)
        moments = ("lists", "fetched", "upgraded", "declared", "reboot")
        return Updates(
            waiting=frozenset(found["waiting"]),
            reboot_for=frozenset(found["reboot-for"]),
            **{kind: max(map(float, found[kind]), default=0) for kind in moments},
        )
