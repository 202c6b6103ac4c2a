"""Units that systemd knows otherwise than the disk says."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

from pyinfra.context import host

from stagecraft.drift.areas import Looked
from stagecraft.drift.declared import Declared
from stagecraft.drift.findings import Finding, Severity
from stagecraft.drift.running.finding import environment_of, finding
from stagecraft.facts.units import Units, UnitsFact
from stagecraft.operations.services import looked_after

PACKAGED = "/usr/lib/systemd/"
OURS_FOR_A_WHILE = "stagecraft-revert.timer"


def units(declared: Declared) -> Looked:
    """Only files that somebody vouches for: of those that nobody does, other findings tell."""
    found: Units = host.get_fact(UnitsFact)
    told = {
        service.unit
        for service in looked_after()
        if service.follows or service.step or not service.present.starts_at_boot
    }
    return Looked([*unread(found, told, declared), *overridden(found, told, declared)])


def unread(units: Units, told: Collection[str], declared: Declared) -> Iterator[Finding]:
    for path, changed in units.unread.items():
        unit = unit_of(path)
        known = path in declared.paths or path.startswith(PACKAGED)
        if known and unit not in told:
            yield finding(
                Severity.HIGH,
                ("unit", unit),
                expected="systemd has read its files",
                found=f"{path} changed since systemd read it",
                remedy="systemctl daemon-reload",
                environment=environment_of(unit, declared),
                since=changed,
            )


def overridden(units: Units, told: Collection[str], declared: Declared) -> Iterator[Finding]:
    for path, changed in units.until_boot.items():
        unit = unit_of(path)
        if unit not in told and OURS_FOR_A_WHILE not in path:
            yield finding(
                Severity.HIGH,
                ("unit override", unit),
                expected="as its files below /etc and /usr say",
                found=f"{path} changes it until the next boot",
                remedy=f"rm {path} && systemctl daemon-reload",
                environment=environment_of(unit, declared),
                since=changed,
            )


def unit_of(path: str) -> str:
    """The unit of a unit file or a drop-in: `…/nginx.service.d/x.conf` → `nginx.service`."""
    drop_in = re.search(r"/([^/]+)\.d/[^/]+$", path)
    return drop_in[1] if drop_in else path.rpartition("/")[2]
