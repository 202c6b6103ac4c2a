"""How an area says that nobody declared a thing."""

from __future__ import annotations

from datetime import datetime

from stagecraft.drift.findings import Class, Finding, Severity


def unmanaged(
    severity: Severity,
    kind: str,
    thing: str,
    found: str,
    remedy: str,
    expected: str = "not there: nobody declared it",
    since: datetime | None = None,
) -> Finding:
    return Finding.model_validate(
        {
            "class": Class.UNMANAGED,
            "severity": severity,
            "kind": kind,
            "thing": thing,
            "expected": expected,
            "found": found,
            "remedy": remedy,
            "since": since,
        }
    )
