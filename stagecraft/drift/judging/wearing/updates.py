"""Security updates that do not arrive, and reboots that they wait for."""

from __future__ import annotations

import time
from collections.abc import Iterator

from pyinfra.context import host

from stagecraft.drift.findings import Finding, Severity
from stagecraft.drift.judging.wearing.finding import DAY, days, finding
from stagecraft.drift.looking.areas import Looked
from stagecraft.drift.looking.declared import Declared
from stagecraft.facts.updates import Updates, UpdatesFact
from stagecraft.settings import Host

LATE = 3 * DAY
"""Lists and upgrades come every day; a machine may have been down over a weekend."""


def updates(declared: Declared) -> Looked:
    found: Updates = host.get_fact(UpdatesFact)
    settings, now = declared.settings.host, time.time()
    if settings is None:  # nobody promises that upgrades come by themselves
        return Looked(list(waiting(found, Severity.LOW)))
    return Looked([*asleep(found, now), *left_over(found, now), *reboot_due(found, settings, now)])


def asleep(updates: Updates, now: float) -> Iterator[Finding]:
    """What should come every day, and does not. A new machine has its first days."""
    moments = {
        ("apt lists", "security"): (updates.lists, "apt-get update"),
        ("unattended upgrades", "success"): (updates.upgraded, "unattended-upgrade -v"),
    }
    for named, (moment, command) in moments.items():
        if now - max(moment, updates.declared) > LATE:
            yield finding(
                Severity.HIGH,
                named,
                expected="every day",
                found=f"the last was {days(now - moment)} ago" if moment else "there was none yet",
                remedy=command,
                since=moment,
            )


def left_over(updates: Updates, now: float) -> Iterator[Finding]:
    """Those that unattended-upgrades has seen and not installed: held, or with a question."""
    if updates.upgraded > updates.fetched:
        yield from waiting(updates, Severity.HIGH)


def waiting(updates: Updates, severity: Severity) -> Iterator[Finding]:
    if updates.waiting:
        names = sorted(updates.waiting)
        more = f" and {len(names) - 5} more" if len(names) > 5 else ""
        yield finding(
            severity,
            ("security updates", "waiting"),
            expected="installed",
            found=", ".join(names[:5]) + more,
            remedy="apt-get upgrade",
        )


def reboot_due(updates: Updates, settings: Host, now: float) -> Iterator[Finding]:
    """Not for a kernel: which one runs is looked at by itself. A machine that reboots by itself
    has a day for it."""
    others = {name for name in updates.reboot_for if not name.startswith("linux-image")}
    by_itself = settings.upgrades.reboot != "never"
    if not updates.reboot or (updates.reboot_for and not others):
        return
    if by_itself and now - updates.reboot < DAY:
        return
    yield finding(
        Severity.HIGH if by_itself else Severity.LOW,
        ("reboot", "due"),
        expected=f"one at {settings.upgrades.reboot}" if by_itself else "none is waited for",
        found=f"needed since an upgrade of {', '.join(sorted(others)) or 'something'}",
        remedy="reboot",
        since=updates.reboot,
    )
