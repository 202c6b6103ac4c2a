"""Checks a server area by area, so that a failure affects only one area."""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from traceback import extract_tb

from click import unstyle
from pyinfra import logger
from pyinfra.api.exceptions import PyinfraError

from stagecraft.drift.findings import Class, Coverage, Finding, Report, Unchecked
from stagecraft.drift.looking.server import Declared

NO_HOSTS = "No hosts remaining!"
"""pyinfra's last message when its only host has failed."""

Area = Callable[[Declared], Iterable[Finding | Coverage]]
"""Yields findings, and how many of the existing things are declared. Raises PyinfraError if it
cannot check."""


def look(areas: Mapping[str, Area], declared: Declared) -> Report:
    """The findings of all areas, and the names of those that failed."""
    findings: list[Finding] = []
    unchecked: list[Unchecked] = []
    coverage: list[Coverage] = []
    for name, area in areas.items():
        with logged() as lines:
            try:
                found = list(area(declared))
            except Exception as error:  # a bug in one area must not affect the others
                why = reason(error, lines)
                unchecked.append(Unchecked(server=declared.settings.name, area=name, reason=why))
                continue
        its = [placed(one, declared) for one in found if isinstance(one, Finding)]
        findings += its
        for count in (one for one in found if isinstance(one, Coverage)):
            undeclared = sum(not finding.recorded_by for finding in its)
            if total := count.total or count.declared + undeclared:
                here = {"server": declared.settings.name, "kind": name, "total": total}
                coverage.append(count.model_copy(update=here))
    return Report(
        server=declared.settings.name,
        environment=declared.environment.name,
        findings=[finding for finding in findings if not finding.recorded_by],
        unconfirmed=[finding for finding in findings if finding.recorded_by],
        unchecked=unchecked,
        coverage=coverage,
    )


def placed(finding: Finding, declared: Declared) -> Finding:
    """The finding with the server, and with the environment whose site runs its unit."""
    place = {"server": declared.settings.name}
    of_a_unit = finding.class_ in (Class.RUNNING, Class.WEARING) and "/" not in finding.thing
    if of_a_unit and not finding.environment:
        instance = finding.thing.partition("@")[2].rpartition(".")[0]
        own = (site.environment for site in declared.sites if site.name == instance)
        place["environment"] = next(own, "")
    return finding.model_copy(update=place)


def reason(error: Exception, lines: list[str]) -> str:
    """Why an area failed. pyinfra reports a failed fact only in its log."""
    if isinstance(error, PyinfraError):
        return " / ".join(lines) if lines and str(error) == NO_HOSTS else str(error)
    frame = extract_tb(error.__traceback__)[-1]
    place = f"{Path(frame.filename).name}:{frame.lineno}"
    return f"a defect in the check ({place}): {type(error).__name__}: {error}"


@contextmanager
def logged() -> Iterator[list[str]]:
    """Collects what pyinfra logs as wrong; it is still printed to standard error."""
    lines: list[str] = []
    handler = logging.Handler(logging.WARNING)
    handler.emit = lambda record: lines.append(unstyle(record.getMessage()).strip())  # type: ignore[method-assign]
    logger.addHandler(handler)
    try:
        yield lines
    finally:
        logger.removeHandler(handler)
