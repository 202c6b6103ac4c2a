"""Disks that fill up."""

from __future__ import annotations

from collections.abc import Iterator

from pyinfra.context import host

from stagecraft.drift.findings import Finding, Severity
from stagecraft.drift.judging.wearing.finding import finding
from stagecraft.drift.looking.areas import Looked
from stagecraft.drift.looking.declared import Declared
from stagecraft.facts.disks import Disk, DisksFact

LEVELS = ((97, Severity.CRITICAL), (90, Severity.HIGH), (80, Severity.LOW))
"""Percent, and how bad as much is."""


def disks(declared: Declared) -> Looked:
    found: list[Disk] = host.get_fact(DisksFact)
    return Looked([finding for disk in found for finding in filling(disk)])


def filling(disk: Disk) -> Iterator[Finding]:
    for kind, used in (("disk space", disk.space), ("inodes", disk.inodes)):
        level = severity(used)
        if level is not None:
            yield finding(
                level,
                (kind, disk.mount),
                expected=f"less than {LEVELS[-1][0]} % used",
                found=f"{used} % used",
                remedy=f"du -xh{' --inodes' * (kind == 'inodes')} {disk.mount} | sort -h | tail",
            )


def severity(used: int) -> Severity | None:
    return next((severity for percent, severity in LEVELS if used >= percent), None)
