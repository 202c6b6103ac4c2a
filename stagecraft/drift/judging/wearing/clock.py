"""A clock that nobody corrects."""

from __future__ import annotations

import time
from collections.abc import Iterator

from pyinfra.context import host

from stagecraft.drift.findings import Finding, Severity
from stagecraft.drift.judging.wearing.finding import finding
from stagecraft.drift.looking.areas import Looked
from stagecraft.drift.looking.declared import Declared
from stagecraft.facts.clock import Clock, ClockFact

AN_HOUR = 3600


def clock(declared: Declared) -> Looked:
    """Where systemd-timesyncd keeps it, not in containers and beside other daemons."""
    found: Clock = host.get_fact(ClockFact)
    return Looked(list(adrift(found, time.time())))


def adrift(clock: Clock, now: float) -> Iterator[Finding]:
    """After an hour without an answer; a machine that was just booted has not asked yet."""
    if clock.kept and not clock.synchronized and now - clock.since > AN_HOUR:
        yield finding(
            Severity.HIGH,
            ("clock", "time servers"),
            expected="set by them",
            found="systemd-timesyncd has reached none since the boot",
            remedy="timedatectl timesync-status; journalctl -u systemd-timesyncd.service",
            since=clock.since,
        )
