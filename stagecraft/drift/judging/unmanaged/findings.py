"""How an area says that nobody declared a thing."""

from __future__ import annotations

from collections.abc import Collection

from stagecraft.drift.findings import Class, Finding, Hearsay, Severity, as_finding
from stagecraft.drift.looking.declared import Declared


def unmanaged(
    severity: Severity,
    kind: str,
    thing: str,
    found: str,
    remedy: str,
    expected: str = "not there: nobody declared it",
    refresh: str = "",
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
        refresh=refresh,
        since=since,
    )


def unless_recorded(finding: Finding, paths: Collection[str], declared: Declared) -> Finding:
    """The finding about these paths, as hearsay where a neighbour's runs have recorded them."""
    names = declared.recorded_by(paths)
    if not names:
        return finding
    return Hearsay.model_validate(finding.model_dump(by_alias=True) | {"recorded_by": names})
