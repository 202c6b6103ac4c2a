"""What all findings of this class have in common."""

from __future__ import annotations

from functools import partial

from stagecraft.drift.findings import Class, as_finding

finding = partial(as_finding, Class.WEARING)

DAY = 86400


def days(seconds: float) -> str:
    """In words: `5 days`, `1 day`, `9 hours`."""
    count, unit = (seconds / DAY, "day") if seconds >= DAY else (seconds / 3600, "hour")
    return f"{int(count)} {unit}{'' if int(count) == 1 else 's'}"
