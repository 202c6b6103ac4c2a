"""The plan of deploy.py, made without secrets and never executed."""

from typing import NamedTuple

from pyinfra import local
from pyinfra.context import ctx_host, host, state
from pyinfra_cli.exceptions import UnexpectedExternalError  # type: ignore[import-untyped]

from stagecraft.drift.findings import Class, Report
from stagecraft.errors import ServerError
from stagecraft.run import this_run
from stagecraft.seen import Seen


class Step(NamedTuple):
    """An operation that would change something: its name, and the states that it manages; None if
    it does not report them."""

    name: str
    seen: list[Seen] | None


UNPLANNED = "deploy.py cannot be planned"


def refuse_execution() -> None:
    """Raises ServerError in a run that could execute a plan with stand-ins for secrets."""
    if not host.data.only_plans:
        raise ServerError(
            f"{host.name}: the check only looks: start it with --dry, or run stagecraft drift"
        )


def plan() -> list[Step]:
    """The steps of deploy.py on this server; nothing can execute them. Raises ServerError if a run
    would be refused, once everything is planned."""
    before, run = set(state.ops[host]), this_run()
    run.checks = True
    try:
        include("deploy.py")
        run.planned = frozenset(run.manifest.declared_paths | run.differing_paths())
        for refusal in run.refusals:
            raise refusal
        return [
            Step(", ".join(sorted(state.get_op_meta(operation).names)), run.seen.get(operation))
            for operation, planned in state.ops[host].items()
            if operation not in before and planned.operation_meta.will_change
        ]
    finally:
        for operation in state.ops[host].keys() - before:
            del state.ops[host][operation], state.op_meta[operation]
            host.op_hash_order.remove(operation)


def planned() -> frozenset[str] | None:
    """The paths that the plan declares or would remove; None without a plan."""
    return this_run().planned if ctx_host.isset() else None  # type: ignore[no-untyped-call]


def require_plan() -> None:
    """Raises ServerError if deploy.py could not be planned."""
    if planned() is None:
        raise ServerError(f"{host.name}: {UNPLANNED}")


def unremoved(report: Report) -> Report:
    """The report. Without a plan it is unknown what is declared, so remedies for undeclared things,
    which may be ours, are withheld."""
    if planned() is not None:
        return report
    withheld = {"remedy": f"# {UNPLANNED}: settle that first", "refresh": ""}
    findings = [
        found.model_copy(update=withheld) if found.class_ is Class.UNMANAGED else found
        for found in report.findings
    ]
    return report.model_copy(update={"findings": findings})


def include(verb: str) -> None:
    """Plans the verb. Raises its original exception, because pyinfra's wrapper has no message."""
    try:
        local.include(verb)
    except UnexpectedExternalError as error:
        raise error.exception from error
