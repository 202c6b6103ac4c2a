"""Backups that are older than promised."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping

from pyinfra.context import host

from stagecraft.drift.findings import Finding, Severity
from stagecraft.drift.judging.wearing.finding import days, finding
from stagecraft.drift.looking.areas import Looked
from stagecraft.drift.looking.declared import Declared
from stagecraft.facts.backups import BackupsFact
from stagecraft.settings.values import hours

GRACE = 1.25
"""Of the promised time, since one that takes longer than the last is not missing yet."""


def backups(declared: Declared) -> Looked:
    promises = declared.settings.backups
    if not promises:
        return Looked()
    minutes = {path: int(hours(every) * GRACE * 60) for path, every in promises.items()}
    newest: dict[str, float] = host.get_fact(BackupsFact, minutes=minutes)
    return Looked(list(overdue(promises, newest, time.time())))


def overdue(
    promises: Mapping[str, str], newest: Mapping[str, float], now: float
) -> Iterator[Finding]:
    for path, every in promises.items():
        written = newest.get(path)
        if written is None or now - written > hours(every) * GRACE * 3600:
            age = f"the newest is {days(now - written)} old" if written else "there is none"
            yield finding(
                Severity.HIGH,
                ("backup", path),
                expected=f"a new one every {every}",
                found=age,
                remedy=f"ls -lt {path}; systemctl list-timers --all; crontab -l",
                since=written or 0,
            )
