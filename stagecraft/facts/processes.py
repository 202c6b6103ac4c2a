"""Since when processes run, and which of them run files that are gone."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from pyinfra.api.facts import FactBase

from stagecraft.facts.reading import reading

READ_PROCESSES = Path(__file__).with_suffix(".sh").read_text()


@dataclass(frozen=True)
class Processes:
    """`nginx` is when its oldest worker started that is not shutting down, `php_fpm` when the
    oldest child of each unit did, in seconds since the epoch: a reload replaces them all.
    `deleted` are the programs and libraries that units run and an upgrade has replaced."""

    nginx: float | None = None
    php_fpm: dict[str, float] = field(default_factory=dict)
    deleted: dict[str, frozenset[str]] = field(default_factory=dict)


def parse_processes(lines: list[str]) -> Processes:
    """Reads the tab-separated lines of `processes.sh`."""
    workers: list[float] = []
    children: dict[str, list[float]] = {}
    deleted: dict[str, set[str]] = {}
    for line in lines:
        kind, unit, value = line.split("\t")
        if kind == "worker":
            workers.append(float(value))
        elif kind == "child":
            children.setdefault(unit, []).append(float(value))
        elif kind == "deleted":
            deleted.setdefault(unit, set()).add(value)
    return Processes(
        nginx=min(workers, default=None),
        php_fpm={unit: min(starts) for unit, starts in children.items()},
        deleted={unit: frozenset(paths) for unit, paths in deleted.items()},
    )


class ProcessesFact(FactBase[Processes]):
    """The `Processes` of the machine."""

    @reading
    def command(self) -> str:
        return READ_PROCESSES

    @staticmethod
    def default() -> Processes:
        return Processes()

    def process(self, output: list[str]) -> Processes:
        return parse_processes(output)
