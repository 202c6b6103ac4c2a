"""systemd units: running, started at boot, and running what their files say now."""

from __future__ import annotations

import shlex
from collections.abc import Generator, Sequence

from pyinfra.api.command import StringCommand
from pyinfra.api.operation import OperationMeta, operation
from pyinfra.context import host, state

from stagecraft.facts.services import Unit, UnitFact


def pending(changes: Sequence[OperationMeta]) -> bool:
    """Whether one of these operations is going to change something; while the run executes, the
    server's state tells, so that an interrupted run heals at the next."""
    return not state.is_executing and any(change.will_change for change in changes)


@operation()
def running(
    unit: str,
    watched: Sequence[str] = (),
    unit_files: Sequence[str] = (),
    after: Sequence[OperationMeta] = (),
    refresh: str = "systemctl reload",
) -> Generator[str | StringCommand]:
    """Ensures that the unit runs, starts at boot and has read its files since they last changed.

    Args:
        unit: canonical name; an alias such as `mysql.service` would always look disabled.
        watched: files and directories that the unit reads.
        unit_files: unit files and drop-ins that we write. When they change the unit is restarted:
            a reload takes up no new command, limit or sandbox.
        after: operations that write those files, so that the plan shows what follows from them.
        refresh: the command by which the unit, its last word, takes up changed watched files.
    """
    current: Unit = host.get_fact(
        UnitFact, unit=unit, unit_files=list(unit_files), watched=list(watched)
    )
    name = shlex.quote(unit)
    if current.outdated:
        yield "systemctl daemon-reload"
    if not current.starts_at_boot:
        yield f"systemctl enable --quiet {name}"
    if not current.running:
        yield explained(f"systemctl start {name}", unit)
    elif current.restart_due:
        yield explained(f"systemctl restart {name}", unit)
    elif current.newer or pending(after):
        yield explained(f"{refresh} {name}", unit)


@operation()
def known(
    unit: str, unit_files: Sequence[str], after: Sequence[OperationMeta] = ()
) -> Generator[str]:
    """Ensures that systemd has read our files of a unit that something else starts, a timer for
    instance. `after` are the operations that write them."""
    current: Unit = host.get_fact(UnitFact, unit=unit, unit_files=list(unit_files), watched=[])
    if current.outdated or pending(after):
        yield "systemctl daemon-reload"


def explained(command: str, unit: str) -> str:
    """The command, followed by the unit's last log lines when it fails."""
    log = f"journalctl --no-pager --quiet --lines=20 --unit={shlex.quote(unit)} >&2"
    return f"{command} || {{ {log}; exit 1; }}"
