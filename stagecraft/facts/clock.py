"""The clock's state according to systemd-timesyncd."""

from dataclasses import dataclass

from stagecraft.facts.reading import Fact
from stagecraft.facts.services import parse_timestamp


@dataclass(frozen=True)
class Clock:
    """`kept`: systemd-timesyncd runs, `since` that time in seconds since the epoch. `synchronized`:
    it has reached a time server since boot."""

    kept: bool = False
    since: float = 0
    synchronized: bool = False


class ClockFact(Fact[Clock]):
    """Avoids timedatectl, which would start a service."""

    def command(self) -> str:
        return (
            "systemctl show --timestamp=us+utc --property=ActiveState,ActiveEnterTimestamp"
            " systemd-timesyncd.service || exit;"
            " [ ! -e /run/systemd/timesync/synchronized ] || echo synchronized"
        )

    def process(self, output: list[str]) -> Clock:
        values = dict(line.split("=", 1) for line in output if "=" in line)
        return Clock(
            kept=values.get("ActiveState") == "active",
            since=parse_timestamp(values.get("ActiveEnterTimestamp", "")),
            synchronized="synchronized" in output,
        )
