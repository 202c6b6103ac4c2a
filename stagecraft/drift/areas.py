"""What is looked at on a server, one area after the other, so that one that fails spoils itself
alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from pyinfra.api.exceptions import PyinfraError

from stagecraft.drift.declared import Declared
from stagecraft.drift.findings import Coverage, Finding, Report, Unchecked


@dataclass
class Looked:
    """What an area has to say: its findings, and how many of the things that exist there are
    declared (none counted where `total` is 0)."""

    findings: list[Finding] = field(default_factory=list)
    declared: int = 0
    total: int = 0


Area = Callable[[Declared], Looked]
"""Raises PyinfraError when it cannot look. Its `__name__` is what people read of it."""


def look(areas: Iterable[Area], declared: Declared) -> Report:
    """What all areas found, and which could not look."""
    findings: list[Finding] = []
    unchecked: list[Unchecked] = []
    coverage: list[Coverage] = []
    for area in areas:
        kind = area.__name__.replace("_", " ")
        try:
            looked = area(declared)
        except PyinfraError as error:
            unchecked.append(Unchecked(server=declared.server, area=kind, reason=str(error)))
            continue
        findings += placed(looked.findings, declared)
        if looked.total:
            coverage.append(
                Coverage(
                    server=declared.server, kind=kind, declared=looked.declared, total=looked.total
                )
            )
    return Report(
        server=declared.server,
        environment=declared.environment.name,
        findings=findings,
        unchecked=unchecked,
        coverage=coverage,
    )


def placed(findings: Iterable[Finding], declared: Declared) -> Iterator[Finding]:
    """The findings with the server's name, which areas need not know."""
    return (finding.model_copy(update={"server": declared.server}) for finding in findings)
