"""Units that have failed."""

from __future__ import annotations

import re
import shlex
from collections.abc import Collection, Iterator

from pyinfra.context import host

from stagecraft.drift.findings import Finding, Severity
from stagecraft.drift.judging.running.finding import environment_of
from stagecraft.drift.judging.wearing.finding import finding
from stagecraft.drift.looking.areas import Looked
from stagecraft.drift.looking.declared import Declared
from stagecraft.facts.units import Failure, Units, UnitsFact
from stagecraft.run import this_run

INSTANCE = re.compile("@.*(?=[.])")

MEANINGS = {
    "certbot.service": "certificates are not renewed",
    "apt-daily.service": "apt does not learn of updates",
    "apt-daily-upgrade.service": "security updates are not installed",
    "logrotate.service": "logs grow until the disk is full",
    "unattended-upgrades.service": "an upgrade may be cut off by a shutdown",
}
"""By unit, for all of its instances."""


def failed_units(declared: Declared) -> Looked:
    """Not those that a run would start: they are told as not running."""
    units: Units = host.get_fact(UnitsFact)
    started = {service.unit for service in this_run().services if service.step == "start"}
    return Looked(list(failed(units, started, declared)))


def failed(units: Units, started: Collection[str], declared: Declared) -> Iterator[Finding]:
    for failure in units.failed:
        if failure.unit in started:
            continue
        meaning = MEANINGS.get(INSTANCE.sub("", failure.unit))
        yield finding(
            Severity.HIGH,
            ("failed unit", failure.unit),
            expected="it does its work",
            found=f"it failed ({failure.result})" + (f": {meaning}" if meaning else ""),
            remedy=remedy(failure),
            environment=environment_of(failure.unit, declared),
            since=failure.since,
        )


def remedy(failure: Failure) -> str:
    """What has no file any more, systemd cannot start again: it only remembers."""
    unit = shlex.quote(failure.unit)
    if not failure.file:
        return f"systemctl reset-failed {unit}"
    return f"journalctl -u {unit}; systemctl restart {unit}"
