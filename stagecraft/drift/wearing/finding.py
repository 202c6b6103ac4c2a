"""What all findings of this class have in common."""

from __future__ import annotations

from datetime import UTC, datetime

from stagecraft.drift.findings import Class, Finding, Severity


def finding(
    severity: Severity,
    named: tuple[str, str],
    *,
    expected: str,
    found: str,
    remedy: str,
    environment: str = "",
    since: float = 0,
) -> Finding:
    """One of class wearing out; `named` are its kind and thing, `since` seconds since the epoch
    where the server knows it."""
    return Finding.model_validate(
        {
            "class": Class.WEARING,
            "severity": severity,
            "kind": named[0],
            "thing": named[1],
            "environment": environment,
            "expected": expected,
            "found": found,
            "remedy": remedy,
            "since": datetime.fromtimestamp(since, UTC) if since else None,
        }
    )


DAY = 86400


def days(seconds: float) -> str:
    """In words: `5 days`, `1 day`, `9 hours`."""
    count, unit = (seconds / DAY, "day") if seconds >= DAY else (seconds / 3600, "hour")
    return f"{int(count)} {unit}{'' if int(count) == 1 else 's'}"
