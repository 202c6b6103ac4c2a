"""What all findings of this class have in common."""

from __future__ import annotations

from datetime import UTC, datetime

from stagecraft.drift.declared import Declared
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
    who: str = "",
) -> Finding:
    """One of class running; `named` are its kind and thing, `since` seconds since the epoch where
    the server knows it."""
    return Finding.model_validate(
        {
            "class": Class.RUNNING,
            "severity": severity,
            "kind": named[0],
            "thing": named[1],
            "environment": environment,
            "expected": expected,
            "found": found,
            "remedy": remedy,
            "since": datetime.fromtimestamp(since, UTC) if since else None,
            "who": who,
        }
    )


def environment_of(unit: str, declared: Declared) -> str:
    """The environment whose site the unit is an instance for; empty where it serves all."""
    instance = unit.partition("@")[2].removesuffix(".service")
    return next((site.environment for site in declared.sites if site.name == instance), "")
