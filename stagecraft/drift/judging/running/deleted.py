"""Processes that run programs and libraries which an upgrade has replaced."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath

from pyinfra.context import host

from stagecraft.drift.findings import Finding, Severity
from stagecraft.drift.judging.running.finding import environment_of, finding
from stagecraft.drift.looking.areas import Looked
from stagecraft.drift.looking.declared import Declared
from stagecraft.facts.processes import Processes, ProcessesFact

MANAGER = "init.scope"

UNTIL_BOOT = re.compile(
    "dbus|network|NetworkManager|ModemManager|wpa_supplicant|ifup|openvpn|docker|lxc|libvirt"
    "|systemd-logind|user@|getty@|serial-getty@|emergency|rescue|rc-local|apt-daily"
    "|unattended-upgrades"
)
"""Those that needrestart, too, leaves alone until the machine boots: with them go logins, the
network or containers. Not a finding, since nobody would do anything about it."""


def replaced_files(declared: Declared) -> Looked:
    """Services only: what a person runs in a session ends with it."""
    processes: Processes = host.get_fact(ProcessesFact)
    return Looked(list(outdated(processes.deleted, declared)))


def outdated(deleted: Mapping[str, frozenset[str]], declared: Declared) -> Iterator[Finding]:
    for unit, paths in sorted(deleted.items()):
        if not is_service(unit):
            continue
        names = sorted({PurePosixPath(path).name or "its program" for path in paths})
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        yield finding(
            Severity.HIGH,
            ("replaced files", unit),
            expected="runs the programs and libraries that are installed",
            found=f"runs old ones that are gone from the disk: {', '.join(names[:3])}{more}",
            remedy="systemctl daemon-reexec" if unit == MANAGER else f"systemctl restart {unit}",
            environment=environment_of(unit, declared),
        )


def is_service(unit: str) -> bool:
    return unit == MANAGER or (unit.endswith(".service") and not UNTIL_BOOT.match(unit))
