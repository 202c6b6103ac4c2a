"""The order of remedies. Followed from top to bottom, none activates what a later one removes: a
reload, or a run that starts a service, could load another undeclared file."""

from collections.abc import Callable, Iterable, Iterator
from itertools import chain, groupby
from operator import attrgetter

from stagecraft.drift.findings import MOUNT, PACKAGE_FILE, THEN, Cause, Class, Finding, Kind

AFTER_THE_RUN = Kind(Class.RUNNING, "service", "run what is declared")

RUN, LAST = 2, 3


def in_order(
    findings: Iterable[Finding], waived: Callable[[Finding], bool] = lambda _: False
) -> list[Finding]:
    """Grouped by server, the worst server first, and in the order of remedies."""
    by_server = groupby(sorted(findings, key=attrgetter("server")), attrgetter("server"))
    servers = [sorted(group, key=place_in_line) for _, group in by_server]
    servers.sort(key=lambda group: min((f.severity.rank, f.server) for f in group))
    return [finding for group in servers for finding in refreshed(group, waived)]


def place_in_line(finding: Finding) -> tuple[int, bool, int, bool, str]:
    """Sorts by step, prerequisites of a run, then severity; a run comes before a command that
    applies less."""
    return (
        step(finding),
        THEN not in finding.remedy,
        finding.severity.rank,
        finding.class_ != Class.MANAGED,
        finding.id,
    )


def step(finding: Finding) -> int:
    """Files that services load are fixed before anything loads them: first removals, then packages'
    files, which others may include, then what a run writes and applies. Mounts over programs are
    removed first, because commands may need those programs."""
    if THEN in finding.remedy:
        return RUN
    if MOUNT.includes(finding):
        return 0
    if not finding.refresh or finding.cause == Cause.FILES:
        return LAST
    if finding.class_ == Class.MANAGED:
        return RUN
    return 1 if PACKAGE_FILE.includes(finding) else 0


def refreshed(findings: list[Finding], waived: Callable[[Finding], bool]) -> Iterator[Finding]:
    """Adds, after the last finding about loaded files, the commands that reload them. A run only
    makes services load what it has written."""
    early = [finding for finding in findings if step(finding) < LAST and not waived(finding)]
    commands = [f.refresh.split(" && ") for f in early if step(f) < RUN and f.refresh]
    refreshes = " && ".join(dict.fromkeys(chain(*commands)))
    for finding in findings:
        if not refreshes or finding is not early[-1]:
            yield finding
        elif step(finding) == RUN:
            yield finding
            yield AFTER_THE_RUN.finding(
                "all that load the files above",
                found="they may have loaded files that are removed by then",
                remedy=refreshes,
            ).model_copy(update={"server": finding.server})
        else:
            remedy = f"{finding.remedy} && {refreshes}"
            yield finding.model_copy(update={"remedy": remedy})
