"""systemd units: running, started at boot, and up to date with their files."""

import shlex
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass

from pyinfra.api.command import StringCommand
from pyinfra.api.operation import OperationMeta, operation
from pyinfra.context import host, state

from stagecraft.facts.services import Unit, UnitFact
from stagecraft.operations.files import Written
from stagecraft.operations.scripts import run_script, script
from stagecraft.run import report_states, this_run
from stagecraft.seen import CompositeValue, Service, State, Value

RESTART = "systemctl restart"

RELOAD_NGINX = f"sh -c {shlex.quote(script('reload_nginx'))} reload-nginx"
"""Returns once nginx serves the change. Like `RESTART`, it is followed by the unit."""

TAKE_UP = script("take_up")


@dataclass(frozen=True)
class Condition(CompositeValue):
    """`active` is systemd's ActiveState."""

    active: str
    at_boot: bool

    @property
    def runs(self) -> bool:
        return self.active == "active"

    def __str__(self) -> str:
        now = "runs" if self.runs else f"is {self.active}"
        return f"{now}, {'starts' if self.at_boot else 'does not start'} at boot"


RUNNING = Condition("active", at_boot=True)


def pending(changes: Sequence[Written | OperationMeta]) -> bool:
    """Whether one of these operations will change something. False during execution: then the
    server's state decides, so that the next run completes an interrupted one."""
    if state.is_executing:
        return False
    metas = [change.meta if isinstance(change, Written) else change for change in changes]
    return any(meta.will_change for meta in metas)


def running(
    *,
    name: str,
    unit: str,
    watched: Sequence[str] = (),
    unit_files: Sequence[str] = (),
    after: Sequence[Written | OperationMeta] = (),
    refresh: str = "systemctl reload",
    shared: bool = False,
) -> OperationMeta:
    """Ensures that the unit runs, starts at boot and has read its files since they last changed; if
    it cannot take up changes of trees, the old files are restored. The plan shows its next step.

    Args:
        unit: canonical name; an alias such as `mysql.service` would always look disabled.
        watched: files and directories that the unit reads.
        unit_files: unit files and drop-ins that we write. Their changes cause a restart, because a
            reload takes up no new command, limit or sandbox.
        after: what writes those files, so that the plan shows the consequences.
        refresh: the command that makes the unit, its last argument, read changed watched files.
        shared: whether every environment on the server uses it.
    """
    files = {"unit_files": list(unit_files), "watched": list(watched)}
    present: Unit = host.get_fact(UnitFact, unit=unit, **files)
    follows = pending(after)  # with -y there was no plan, and `differing_paths` is still empty
    planned = RESTART if any(changes_below(path) for path in unit_files) else refresh
    step = due(present, planned, changing=follows)
    service = Service(unit, present, step, follows)
    this_run().services.append(service)
    return run(
        name=f"{name}: {in_words(service, shared=shared)}" if step else name,
        unit=unit,
        files=files,
        after=after,
        trees=[change.tree for change in after if isinstance(change, Written)],
        refresh=refresh,
    )


def in_words(service: Service, *, shared: bool) -> str:
    """The step, with whom it interrupts or why it is due."""
    step, present = service.step, service.present
    if step == "restart" and shared:
        return f"{step}, which interrupts {' and '.join(this_run().manifest.environments)}"
    if step == "start" and present.load != "not-found":
        return f"{step}, it is {present.active}"
    if step == "reload" and present.newer and not service.follows:
        return f"{step}, {present.newer} changed"
    return step


def changes_below(path: str) -> bool:
    """Whether the plan changes something at or below the path."""
    return any(f"{changed}/".startswith(f"{path}/") for changed in this_run().differing_paths())


def due(unit: Unit, refresh: str, *, changing: bool) -> str:
    """The unit's next step to match its files: `start`, `restart`, `reload` or nothing."""
    if not unit.running:
        return "" if unit.unneeded else "start"
    if unit.restart_due:
        return "restart"
    if unit.newer or changing:
        return "restart" if refresh == RESTART else "reload"
    return ""


def condition(unit: Unit) -> Value:
    """Equals `RUNNING` if nothing is missing."""
    if unit.load == "not-found":
        return ""
    active = "active" if unit.running or unit.unneeded else unit.active
    return Condition(active, unit.starts_at_boot)


@operation()
def run(
    unit: str,
    files: Mapping[str, Sequence[str]],
    after: Sequence[Written | OperationMeta],
    trees: Sequence[str],
    refresh: str,
) -> Generator[str | StringCommand]:
    """What `running` ensures. `files` are `watched` and `unit_files`; `trees` can be restored."""
    current: Unit = host.get_fact(UnitFact, unit=unit, **files)
    report_states(State("service", unit, RUNNING, condition(current)))
    if current.masked:
        yield f"systemctl unmask --quiet {shlex.quote(unit)}"
    if not current.starts_at_boot:
        yield f"systemctl enable --quiet {shlex.quote(unit)}"  # also reloads unit files
    elif current.outdated:
        yield "systemctl daemon-reload"
    step = due(current, refresh, changing=pending(after))
    if step:
        command = refresh if step == "reload" else f"systemctl {step}"
        yield run_script(TAKE_UP, unit, f"{command} {shlex.quote(unit)}", *trees)


@operation()
def reloaded(
    unit: str, watched: Sequence[str], after: Sequence[OperationMeta], refresh: str
) -> Generator[str]:
    """Ensures that a running unit has read the changes of the operations in `after` since the run
    last made it read its files."""
    current: Unit = host.get_fact(UnitFact, unit=unit, unit_files=[], watched=list(watched))
    report_states()
    if pending(after) or (state.is_executing and current.running and current.newer):
        yield f"{refresh} {shlex.quote(unit)}"


@operation()
def stopped(unit: str) -> Generator[str]:
    """Ensures that the unit neither runs nor starts at boot."""
    current: Unit = host.get_fact(UnitFact, unit=unit, unit_files=[], watched=[])
    report_states(State("service", unit, "", "" if current.at_rest else condition(current)))
    if current.load != "not-found" and not current.at_rest:
        yield f"systemctl disable --quiet --now {shlex.quote(unit)}"
        if current.active == "failed":
            yield f"systemctl reset-failed {shlex.quote(unit)}"


@operation()
def known(unit: str, unit_files: Sequence[str], after: Sequence[Written] = ()) -> Generator[str]:
    """Ensures that systemd has read our files of a unit that something else starts, such as a
    timer. `after` is what writes them."""
    current: Unit = host.get_fact(UnitFact, unit=unit, unit_files=list(unit_files), watched=[])
    report_states()
    if current.outdated or pending(after):
        yield "systemctl daemon-reload"
