"""How an area says that nobody declared a thing."""

from __future__ import annotations

from stagecraft.drift.findings import Class, Finding, Severity, as_finding


def unmanaged(
    severity: Severity,
    kind: str,
    thing: str,
    found: str,
    remedy: str,
    expected: str = "not there: nobody declared it",
    since: float = 0,
) -> Finding:
    """`since` in seconds since the epoch, where the server knows it."""
    return as_finding(
        Class.UNMANAGED,
        severity,
        (kind, thing),
        expected=expected,
        found=found,
        remedy=remedy,
        since=since,
    )
