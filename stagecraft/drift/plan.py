"""The plan of deploy.py, made without secrets and executed by nobody."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pyinfra import local
from pyinfra.context import host, state
from pyinfra_cli.exceptions import UnexpectedExternalError  # type: ignore[import-untyped]

from stagecraft.errors import ServerError
from stagecraft.secrets import unopened
from stagecraft.seen import Seen, State, seen_by


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


def plan() -> list[Step]:
    """The steps of deploy.py on this server. Raises ServerError in a run that could execute them:
    its secrets are stand-ins."""
    if not host.data.only_plans:
        raise ServerError(f"{host.name}: the check only looks; it is for --dry")
    before = set(state.ops[host])
    try:
        with unopened():
            include("deploy.py")
        return [step(operation) for operation in state.ops[host] if operation not in before]
    finally:
        forget(operation for operation in list(state.ops[host]) if operation not in before)


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
    return Step(names, changes, seen_by(operation))


def forget(operations: Iterable[str]) -> None:
    """Takes them out of what pyinfra would execute next."""
    for operation in operations:
        del state.ops[host][operation]
        del state.op_meta[operation]
        host.op_hash_order.remove(operation)
