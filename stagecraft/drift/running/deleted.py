"""Processes that run programs and libraries which an upgrade has replaced."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath

from pyinfra.context import host

from stagecraft.drift.areas import Looked
from stagecraft.drift.declared import Declared
from stagecraft.drift.findings import Finding, Severity
from stagecraft.drift.running.finding import environment_of, finding
from stagecraft.facts.processes import Processes, ProcessesFact

MANAGER = "init.scope"

RESTARTED_AT_BOOT = ("dbus.service", "dbus-broker.service", "systemd-logind.service")
"""Those that a restart takes the logins away from: needrestart leaves them alone, too."""


def replaced_files(declared: Declared) -> Looked:
    """Services only: what a person runs in a session ends with it."""
    processes: Processes = host.get_fact(ProcessesFact)
    return Looked(list(outdated(processes.deleted, declared)))


def outdated(deleted: Mapping[str, frozenset[str]], declared: Declared) -> Iterator[Finding]:
    for unit, paths in sorted(deleted.items()):
        if not is_service(unit):
            continue
        names = sorted({PurePosixPath(path).name or "its program" for path in paths})
        shown = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
        late = unit in RESTARTED_AT_BOOT
        yield finding(
            Severity.LOW if late else Severity.HIGH,
            ("replaced files", unit),
            expected="runs the programs and libraries that are installed",
            found=f"runs old ones that are not on the disk any more: {shown}",
            remedy=remedy(unit),
            environment=environment_of(unit, declared),
        )


def is_service(unit: str) -> bool:
    return unit == MANAGER or (unit.endswith(".service") and not unit.startswith("user@"))


def remedy(unit: str) -> str:
    if unit == MANAGER:
        return "systemctl daemon-reexec"
    return "reboot" if unit in RESTARTED_AT_BOOT else f"systemctl restart {unit}"
