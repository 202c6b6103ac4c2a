"""What is looked at on a server, one area after the other, so that one that fails spoils itself
alone."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from traceback import extract_tb

from click import unstyle
from pyinfra import logger
from pyinfra.api.exceptions import PyinfraError

from stagecraft.drift.findings import Coverage, Finding, Hearsay, Report, Unchecked
from stagecraft.drift.looking.declared import Declared

NO_HOSTS = "No hosts remaining!"
"""pyinfra's last word when its only host has failed."""


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
        with logged() as lines:
            try:
                looked = area(declared)
            except Exception as error:  # a defect of one area, too, spoils it alone
                why = reason(error, lines)
                unchecked.append(Unchecked(server=declared.server, area=kind, reason=why))
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
        findings=[finding for finding in findings if not isinstance(finding, Hearsay)],
        hearsay=[finding for finding in findings if isinstance(finding, Hearsay)],
        unchecked=unchecked,
        coverage=coverage,
    )


def reason(error: Exception, lines: list[str]) -> str:
    """Why an area could not look. Of a fact that fails, pyinfra says so in its log alone."""
    if isinstance(error, PyinfraError):
        return " / ".join(lines) if lines and str(error) == NO_HOSTS else str(error)
    frame = extract_tb(error.__traceback__)[-1]
    place = f"{Path(frame.filename).name}:{frame.lineno}"
    return f"a defect in the check ({place}): {type(error).__name__}: {error}"


@contextmanager
def logged() -> Iterator[list[str]]:
    """What pyinfra logs as wrong meanwhile, on standard error as well."""
    lines: list[str] = []
    handler = logging.Handler(logging.WARNING)
    handler.emit = lambda record: lines.append(unstyle(record.getMessage()).strip())  # type: ignore[method-assign]
    logger.addHandler(handler)
    try:
        yield lines
    finally:
        logger.removeHandler(handler)


def placed(findings: Iterable[Finding], declared: Declared) -> Iterator[Finding]:
    """The findings with the server's name, which areas need not know."""
    return (finding.model_copy(update={"server": declared.server}) for finding in findings)
