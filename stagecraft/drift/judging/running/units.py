"""Units that systemd knows otherwise than the disk says."""

from __future__ import annotations

import re
import shlex
from collections.abc import Collection, Iterator

from pyinfra.context import host

from stagecraft.drift.findings import Finding, Severity
from stagecraft.drift.judging.running.finding import environment_of, finding
from stagecraft.drift.looking.areas import Looked
from stagecraft.drift.looking.declared import Declared
from stagecraft.facts.units import Units, UnitsFact
from stagecraft.run import this_run

PACKAGED = "/usr/lib/systemd/"


def units(declared: Declared) -> Looked:
    """Only files that somebody vouches for: of those that nobody does, other findings tell."""
    found: Units = host.get_fact(UnitsFact)
    told = {
        service.unit
        for service in this_run().services
        if service.follows or service.step or not service.present.starts_at_boot
    }
    return Looked(
        [
            *unread(found, told, declared),
            *overridden(found, told, declared),
            *left_running(found, told, declared),
            *handed_on(found),
        ]
    )


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
        if unit not in told:
            yield finding(
                Severity.HIGH,
                ("unit override", unit),
                expected="as its files below /etc and /usr say",
                found=f"{path} changes it until the next boot",
                remedy=f"rm {shlex.quote(path)} && systemctl daemon-reload",
                environment=environment_of(unit, declared),
                since=changed,
            )


def left_running(units: Units, told: Collection[str], declared: Declared) -> Iterator[Finding]:
    """A timer that was started goes on without its file, and so does a service."""
    for unit, path in units.gone.items():
        drop_in = path.endswith(".conf")
        if unit not in told:
            yield finding(
                Severity.HIGH,
                ("unit", unit),
                expected="runs as its files say",
                found=f"runs as {path or 'a file'} said, which is gone",
                remedy=f"systemctl daemon-reload && systemctl try-restart {shlex.quote(unit)}"
                if drop_in
                else f"systemctl stop {shlex.quote(unit)} && systemctl daemon-reload",
                environment=environment_of(unit, declared),
            )


def handed_on(units: Units) -> Iterator[Finding]:
    """`systemctl set-environment`: a library to preload, for instance."""
    for name in units.environment:
        yield finding(
            Severity.HIGH,
            ("environment of all services", name),
            expected="not set, or as systemd sets it by itself",
            found="systemd gives it to whatever it starts, and what it has started since keeps it",
            remedy=f"systemctl unset-environment {name}",
        )


def unit_of(path: str) -> str:
    """The unit of a unit file or a drop-in: `…/nginx.service.d/x.conf` → `nginx.service`."""
    drop_in = re.search(r"/([^/]+)\.d/[^/]+$", path)
    return drop_in[1] if drop_in else path.rpartition("/")[2]
