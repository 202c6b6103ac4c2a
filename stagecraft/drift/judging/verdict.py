"""The result of checking all inventories: `--json` prints it; text and notifications are made from
it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from enum import StrEnum

from pydantic import Field, SerializeAsAny

from stagecraft.drift.findings import Class, Coverage, Finding, Plain, Report, Unchecked
from stagecraft.drift.judging.changes import KnownFinding, Scope, Snapshot, changes, snapshot
from stagecraft.drift.judging.order import in_order
from stagecraft.drift.judging.waivers import Acceptance, Waivers, entry

CLEAN, UNKNOWN, DRIFT = 0, 1, 2


class Status(StrEnum):
    """How a finding compares with the previous check."""

    NEW = "new"
    WORSE = "worse"
    KNOWN = "known"


class Judged(Finding):
    """A finding with its history and waiver. `keep` is the entry in waivers.yml that would accept
    an undeclared thing, which may be somebody's."""

    status: Status
    first_seen: datetime
    waived: SerializeAsAny[Acceptance] | None = None
    keep: str = ""
    recorded_by: tuple[str, ...] = Field(default=(), exclude=True)


class Verdict(Plain):
    """`servers` were checked; `unknown` could not be. `believed` are the servers and environments
    whose records were used without their own check. `problems` are the check's own, such as a dead
    notifier; they do not affect the exit code."""

    checked_at: datetime
    exit_code: int
    servers: tuple[str, ...]
    findings: tuple[Judged, ...]
    resolved: tuple[KnownFinding, ...]
    unknown: tuple[Unchecked, ...]
    coverage: tuple[Coverage, ...]
    believed: tuple[tuple[str, str], ...] = ()
    problems: tuple[str, ...] = ()


def contradicted(reports: Sequence[Report]) -> Iterator[Finding]:
    """Findings whose paths neighbours' runs recorded, but which their own checks do not declare."""
    ids = {(r.server, r.environment, f.id) for r in reports for f in (*r.findings, *r.unconfirmed)}
    for report in reports:
        for finding in report.unconfirmed:
            checks = ((report.server, name, finding.id) for name in finding.recorded_by)
            if all(check in ids for check in checks):
                yield finding


def judge(
    reports: Sequence[Report], waivers: Waivers, before: Snapshot, at: datetime
) -> tuple[Verdict, Snapshot]:
    """The verdict, and the snapshot for the history."""
    unchecked = tuple(dict.fromkeys(gap for report in reports for gap in report.unchecked))
    scope = Scope.of(reports)
    found = [*(f for report in reports for f in report.findings), *contradicted(reports)]
    # Two inventories of one server report the same machine: the most urgent finding counts.
    by_id: dict[str, Finding] = {}
    for finding in sorted(found, key=lambda finding: finding.severity.rank):
        by_id.setdefault(finding.id, finding)
    found = [*by_id.values(), *waivers.findings(by_id.values(), scope)]
    found = in_order(found, lambda finding: waivers.of(finding) is not None)
    known = [(finding, waivers.of(finding) is not None) for finding in found]
    now = snapshot(before, at, scope, known, unchecked)
    changed = changes(before, now)
    status = dict.fromkeys((known.id for known in changed.new), Status.NEW)
    status |= dict.fromkeys((known.id for known in changed.worse), Status.WORSE)
    drift = DRIFT if any(not waived for _, waived in known) else CLEAN
    recorded = {(r.server, name) for r in reports for f in r.unconfirmed for name in f.recorded_by}
    coverage = {(c.server, c.kind): c for report in reports for c in report.coverage}
    verdict = Verdict(
        checked_at=at,
        exit_code=UNKNOWN if unchecked else drift,  # what is unknown may be worse
        servers=tuple(sorted({server for server, _ in scope.checked})),
        findings=tuple(judged(found, waivers, status, now)),
        resolved=changed.resolved,
        unknown=unchecked,
        coverage=tuple(coverage.values()),
        believed=tuple(sorted(recorded - scope.checked)),
    )
    return verdict, now


def judged(
    findings: Iterable[Finding], waivers: Waivers, status: Mapping[str, Status], now: Snapshot
) -> Iterator[Judged]:
    first_seen = {known.id: known.first_seen for known in now.findings}
    for finding in findings:
        waiver = waivers.of(finding)
        yield Judged(
            **finding.model_dump(),
            status=status.get(finding.id, Status.KNOWN),
            first_seen=first_seen[finding.id],
            waived=waiver,
            keep=entry(finding, waivers.today) if finding.class_ == Class.UNMANAGED else "",
        )
