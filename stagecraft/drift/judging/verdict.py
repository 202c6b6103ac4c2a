"""The result of checking all inventories: `--json` prints it; text and notifications are made from
it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime
from enum import StrEnum

from stagecraft.drift.findings import Class, Coverage, Finding, Plain, Report, Unchecked
from stagecraft.drift.judging.changes import Changes, Scope, Seen, Snapshot, changes, snapshot
from stagecraft.drift.judging.order import in_order
from stagecraft.drift.judging.waivers import Waivers, entry

CLEAN, UNKNOWN, DRIFT = 0, 1, 2


class Status(StrEnum):
    """How a finding compares with the previous check."""

    NEW = "new"
    WORSE = "worse"
    KNOWN = "known"


class Waived(Plain):
    reason: str
    owner: str
    until: date


class Judged(Finding):
    """A finding with its history and waiver. `keep` is the entry in waivers.yml that would accept
    an undeclared thing, which may be somebody's."""

    status: Status
    first_seen: datetime
    waived: Waived | None = None
    keep: str = ""


class Verdict(Plain):
    """`servers` were checked; `unknown` could not be. `believed` are the servers and environments
    whose records were used without their own check. `problems` are the check's own, such as a dead
    notifier; they do not affect the exit code."""

    checked_at: datetime
    exit_code: int
    servers: tuple[str, ...]
    findings: tuple[Judged, ...]
    resolved: tuple[Seen, ...]
    unknown: tuple[Unchecked, ...]
    coverage: tuple[Coverage, ...]
    believed: tuple[tuple[str, str], ...] = ()
    problems: tuple[str, ...] = ()


def merged(findings: Iterable[Finding]) -> list[Finding]:
    """Each finding once, although two inventories of one server report the same machine."""
    by_id: dict[str, Finding] = {}
    for finding in findings:
        known = by_id.get(finding.id)
        if known is None or finding.severity.rank < known.severity.rank:
            by_id[finding.id] = finding
    return list(by_id.values())


def contradicted(reports: Sequence[Report]) -> Iterator[Finding]:
    """Findings whose paths neighbours' runs recorded, but which their own checks do not declare."""
    unexplained = {
        (report.server, report.environment): {
            finding.id for finding in [*report.findings, *report.unconfirmed]
        }
        for report in reports
    }
    for report in reports:
        for finding in report.unconfirmed:
            checks = [unexplained.get((report.server, name), ()) for name in finding.recorded_by]
            if all(finding.id in ids for ids in checks):
                yield finding


def believed(reports: Sequence[Report]) -> tuple[tuple[str, str], ...]:
    """The servers and environments whose records were used although their own checks did not
    run."""
    told = {(r.server, name) for r in reports for f in r.unconfirmed for name in f.recorded_by}
    return tuple(sorted(told - {(report.server, report.environment) for report in reports}))


def covered(reports: Sequence[Report]) -> tuple[Coverage, ...]:
    """Each kind on each server once."""
    kinds = {(c.server, c.kind): c for report in reports for c in report.coverage}
    return tuple(kinds.values())


def judge(
    reports: Sequence[Report], waivers: Waivers, before: Snapshot, at: datetime
) -> tuple[Verdict, Snapshot]:
    """The verdict, and the snapshot for the history."""
    unchecked = tuple(dict.fromkeys(gap for report in reports for gap in report.unchecked))
    scope = Scope.of(reports)
    found = merged([*(f for report in reports for f in report.findings), *contradicted(reports)])
    found += waivers.findings(found, scope)
    found = in_order(found, lambda finding: waivers.of(finding) is not None)
    known = [(finding, waivers.of(finding) is not None) for finding in found]
    now = snapshot(before, at, scope, known, unchecked)
    changed = changes(before, now)
    findings = tuple(judged(found, waivers, changed, now))
    verdict = Verdict(
        checked_at=at,
        exit_code=exit_code(findings, unchecked),
        servers=tuple(sorted({server for server, _ in scope.checked})),
        findings=findings,
        resolved=changed.resolved,
        unknown=unchecked,
        coverage=covered(reports),
        believed=believed(reports),
    )
    return verdict, now


def judged(
    findings: Iterable[Finding], waivers: Waivers, changed: Changes, now: Snapshot
) -> Iterator[Judged]:
    first_seen = {seen.id: seen.first_seen for seen in now.findings}
    status = dict.fromkeys((seen.id for seen in changed.new), Status.NEW)
    status |= dict.fromkeys((seen.id for seen in changed.worse), Status.WORSE)
    for finding in findings:
        waiver = waivers.of(finding)
        yield Judged(
            **finding.model_dump(),
            status=status.get(finding.id, Status.KNOWN),
            first_seen=first_seen[finding.id],
            waived=waiver and Waived(**waiver.model_dump(exclude={"id"})),
            keep=entry(finding, waivers.today) if finding.class_ == Class.UNMANAGED else "",
        )


def exit_code(findings: Iterable[Judged], unchecked: Sequence[Unchecked]) -> int:
    """What is unknown may be worse than everything known."""
    if unchecked:
        return UNKNOWN
    return DRIFT if any(not finding.waived for finding in findings) else CLEAN
