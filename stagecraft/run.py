"""A run on one host: what it declares, and the states that its operations found."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Self

from pyinfra.context import ctx_host, host

from stagecraft.errors import ServerError
from stagecraft.facts.machine import Machine
from stagecraft.facts.neighbours import Neighbours
from stagecraft.manifest import Manifest
from stagecraft.secrets import Secret, secrets_for, stand_ins
from stagecraft.seen import Place, Seen, Service, State
from stagecraft.settings import Environment, environment_of


@dataclass(repr=False)
class Run:
    """`machine` and `neighbours` are set once read, `manifest` once the run has begun, `planned`
    (the paths that deploy.py declares or would remove) once the check has planned it. `lock` is
    held until the run ends.

    A run that `checks` never executes anything: its secrets are stand-ins, files with secrets are
    compared by recorded checksums, and refusals are collected in `refusals` until everything is
    planned.
    """

    manifest: Manifest = field(default_factory=lambda: Manifest(""))
    machine: Machine = field(init=False)
    neighbours: Neighbours = field(init=False)
    seen: dict[str, list[Seen]] = field(default_factory=dict)
    """By operation."""
    services: list[Service] = field(default_factory=list)
    checks: bool = False
    refusals: list[ServerError] = field(default_factory=list)
    planned: frozenset[str] | None = None
    lock: object = None

    @cached_property
    def environment(self) -> Environment:
        """Raises CommandLineError for a host from no inventory of ours."""
        return environment_of(host.data)

    def __copy__(self) -> Self:
        """`host.data` copies every value that it returns; this must stay the same object."""
        return self

    @cached_property
    def secrets(self) -> dict[str, dict[str, Secret]]:
        """By site and name."""
        name, root = self.environment.name, Path(host.data.root)
        return stand_ins(self.environment) if self.checks else secrets_for(name, root)

    def refuse(self, refusal: ServerError) -> None:
        """Raises it, unless the run only checks."""
        if not self.checks:
            raise refusal
        self.refusals.append(refusal)

    def states(self) -> Iterator[State]:
        """All states seen, except paths."""
        return (seen for seen in self._all() if isinstance(seen, State))

    def differing_paths(self) -> set[str]:
        """The paths that are not as declared."""
        links = {s.thing for s in self.states() if s.kind == "link" and not s.as_declared}
        return links | {seen.node.path for seen in self._all() if isinstance(seen, Place)}

    def _all(self) -> Iterator[Seen]:
        return (seen for all_of_it in self.seen.values() for seen in all_of_it)


def this_run() -> Run:
    """The run on pyinfra's current host."""
    if not hasattr(host.data, "stagecraft_run"):
        host.data.stagecraft_run = Run()
    run: Run = host.data.stagecraft_run
    return run


def report_states(*all_of_it: Seen) -> None:
    """Records what the present operation manages, before its first command. Without arguments, it
    only applies what other operations change."""
    if ctx_host.isset():  # type: ignore[no-untyped-call]
        this_run().seen[host.current_op_hash or ""] = list(all_of_it)
