"""The clock, and its state according to systemd-timesyncd."""

import time
from dataclasses import dataclass

from stagecraft.facts.reading import Fact
from stagecraft.facts.services import parse_timestamp


@dataclass(frozen=True)
class Clock:
    """`kept`: systemd-timesyncd runs, `since` that time in seconds since the epoch. `synchronized`:
    it has reached a time server since boot. `ahead`
    is by how many seconds the server's clock is ahead of the one here."""

    kept: bool = False
    since: float = 0
    synchronized: bool = False
    ahead: float = 0


class ClockFact(Fact[Clock]):
    """Avoids timedatectl, which would start a service."""

    def command(self) -> str:
        return (
            "date +now=%s;"
            " systemctl show --timestamp=us+utc --property=ActiveState,ActiveEnterTimestamp"
            " systemd-timesyncd.service || exit;"
            " [ ! -e /run/systemd/timesync/synchronized ] || echo synchronized"
        )

    def process(self, output: list[str]) -> Clock:
        values = dict(line.split("=", 1) for line in output if "=" in line)
        return Clock(
            kept=values.get("ActiveState") == "active",
            since=parse_timestamp(values.get("ActiveEnterTimestamp", "")),
            synchronized="synchronized" in output,
            ahead=float(values["now"]) - time.time() if "now" in values else 0,
        )
