"""The plan of deploy.py, made without secrets and executed by nobody."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pyinfra import local
from pyinfra.context import ctx_host, host, state
from pyinfra_cli.exceptions import UnexpectedExternalError  # type: ignore[import-untyped]

from stagecraft.drift.findings import Class, Report
from stagecraft.errors import ServerError
from stagecraft.run import this_run
from stagecraft.seen import Seen, State


@dataclass(frozen=True)
class Step:
    """An operation of the plan: what people call it, whether it would change something, and what
    it looks after; None where it does not tell."""

    name: str
    changes: bool
    seen: list[Seen] | None

    @property
    def differences(self) -> list[Seen]:
        """What does not stand as declared."""
        return [seen for seen in self.seen or [] if not (isinstance(seen, State) and seen.stands)]


UNPLANNED = "deploy.py cannot be planned"
"""What is said wherever the plan would have told what is declared."""


def refuse_execution() -> None:
    """Raises ServerError in a run that could execute a plan whose secrets are stand-ins."""
    if not host.data.only_plans:
        raise ServerError(
            f"{host.name}: the check only looks: start it with --dry, or run stagecraft drift"
        )


def plan() -> list[Step]:
    """The steps of deploy.py on this server, for no run that could execute them. Raises ServerError
    where a run would be refused, after what is declared is known."""
    before = set(state.ops[host])
    run = this_run()
    run.checks = True
    try:
        include("deploy.py")
        run.planned = frozenset(run.manifest.declared_paths | run.displaced())
        for refusal in run.refusals:
            raise refusal
        return [step(operation) for operation in state.ops[host] if operation not in before]
    finally:
        forget(operation for operation in list(state.ops[host]) if operation not in before)


def planned() -> frozenset[str] | None:
    """The paths that the plan declares, or would remove; None as long as there is none."""
    return this_run().planned if ctx_host.isset() else None  # type: ignore[no-untyped-call]


def require_plan() -> None:
    """Raises ServerError where deploy.py could not be planned."""
    if planned() is None:
        raise ServerError(f"{host.name}: {UNPLANNED}")


def unremoved(report: Report) -> Report:
    """The report. Without a plan nobody knows what is declared: what looks undeclared may be ours,
    and no finding advises to remove it."""
    if planned() is not None:
        return report
    findings = [
        finding.model_copy(update={"remedy": f"# {UNPLANNED}: settle that first", "refresh": ""})
        if finding.class_ is Class.UNMANAGED
        else finding
        for finding in report.findings
    ]
    return report.model_copy(update={"findings": findings})


def include(verb: str) -> None:
    """Plans the verb. Raises what goes wrong in it as it is: pyinfra's wrapping has no text."""
    try:
        local.include(verb)
    except UnexpectedExternalError as error:
        raise error.exception from error


def step(operation: str) -> Step:
    """The planned operation with this hash."""
    names = ", ".join(sorted(state.get_op_meta(operation).names))
    changes = state.ops[host][operation].operation_meta.will_change
    return Step(names, changes, this_run().seen.get(operation))


def forget(operations: Iterable[str]) -> None:
    """Takes them out of what pyinfra would execute next."""
    for operation in operations:
        del state.ops[host][operation]
        del state.op_meta[operation]
        host.op_hash_order.remove(operation)
