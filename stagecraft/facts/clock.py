"""Whether the clock is right, as systemd-timesyncd sees it."""

from __future__ import annotations

from dataclasses import dataclass

from stagecraft.facts.reading import Fact
from stagecraft.facts.services import parse_timestamp


@dataclass(frozen=True)
class Clock:
    """`kept` says that systemd-timesyncd looks after it, `since` a moment in seconds since the
    epoch; `synchronized` that it has reached a time server since the boot."""

    kept: bool = False
    since: float = 0
    synchronized: bool = False


def parse_clock(lines: list[str]) -> Clock:
    """Reads what `ClockFact.command` prints."""
    values = dict(line.split("=", 1) for line in lines if "=" in line)
    return Clock(
        kept=values.get("ActiveState") == "active",
        since=parse_timestamp(values.get("ActiveEnterTimestamp", "")),
        synchronized="synchronized" in lines,
    )


class ClockFact(Fact[Clock]):
    """The machine's `Clock`. timedatectl would start a service to tell."""

    parse = staticmethod(parse_clock)

    def command(self) -> str:
        return (
            "systemctl show --timestamp=us+utc --property=ActiveState,ActiveEnterTimestamp"
            " systemd-timesyncd.service || exit;"
            " [ ! -e /run/systemd/timesync/synchronized ] || echo synchronized"
        )
