"""What the check of all inventories comes to, as one plain object: what `--json` prints and what
text and notifications are made of."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime
from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from stagecraft.drift.findings import Coverage, Finding, Report, Unchecked
from stagecraft.drift.history import Looked, News, Night, Seen, news, night
from stagecraft.drift.waivers import Waivers

CLEAN, UNKNOWN, DRIFT = 0, 1, 2


class Status(StrEnum):
    """How a finding stands to the check before."""

    NEW = "new"
    WORSE = "worse"
    KNOWN = "known"


class Plain(BaseModel):
    model_config = ConfigDict(frozen=True)


class Waived(Plain):
    reason: str
    owner: str
    until: date


class Told(Finding):
    """A finding, and what the history and the waivers say of it."""

    status: Status
    first_seen: datetime
    waived: Waived | None = None


class Verdict(Plain):
    """`servers` are those that were looked at, `unknown` is what could not be. `problems` are the
    check's own, a dead notifier for instance; the exit code knows nothing of them."""

    checked_at: datetime
    exit_code: int
    servers: tuple[str, ...]
    findings: tuple[Told, ...]
    resolved: tuple[Seen, ...]
    unknown: tuple[Unchecked, ...]
    coverage: tuple[Coverage, ...]
    problems: tuple[str, ...] = ()


def merged(findings: Iterable[Finding]) -> list[Finding]:
    """Each once, though two inventories of one server report what belongs to the machine; the
    worst first."""
    by_id: dict[str, Finding] = {}
    for finding in findings:
        known = by_id.get(finding.id)
        if known is None or finding.severity.rank < known.severity.rank:
            by_id[finding.id] = finding
    return sorted(by_id.values(), key=lambda finding: (finding.severity.rank, finding.id))


def gaps(reports: Sequence[Report]) -> tuple[Unchecked, ...]:
    return tuple(dict.fromkeys(gap for report in reports for gap in report.unchecked))


def covered(reports: Sequence[Report]) -> tuple[Coverage, ...]:
    """Of each kind on each server once."""
    kinds = {(c.server, c.kind): c for report in reports for c in report.coverage}
    return tuple(kinds.values())


def judge(
    reports: Sequence[Report], waivers: Waivers, before: Night | None, at: datetime
) -> tuple[Verdict, Night]:
    """The verdict, and what the history shall know of it."""
    unchecked = gaps(reports)
    looked = Looked.at(reports, unchecked)
    found = merged(finding for report in reports for finding in report.findings)
    found += waivers.findings(found, looked)
    now = night(before, at, looked, [(f, waivers.of(f) is not None) for f in found], unchecked)
    changed = news(before, now)
    findings = tuple(told(found, waivers, changed, now))
    verdict = Verdict(
        checked_at=at,
        exit_code=exit_code(findings, unchecked),
        servers=tuple(sorted({server for server, _ in looked.checked})),
        findings=findings,
        resolved=changed.resolved,
        unknown=unchecked,
        coverage=covered(reports),
    )
    return verdict, now


def told(
    findings: Iterable[Finding], waivers: Waivers, changed: News, now: Night
) -> Iterator[Told]:
    first_seen = {seen.id: seen.first_seen for seen in now.findings}
    status = dict.fromkeys((seen.id for seen in changed.new), Status.NEW)
    status |= dict.fromkeys((seen.id for seen in changed.worse), Status.WORSE)
    for finding in findings:
        waiver = waivers.of(finding)
        given = finding.model_dump(by_alias=True) | {
            "status": status.get(finding.id, Status.KNOWN),
            "first_seen": first_seen[finding.id],
            "waived": waiver and Waived(**waiver.model_dump(exclude={"id"})),
        }
        yield Told.model_validate(given)


def exit_code(findings: Iterable[Told], unchecked: Sequence[Unchecked]) -> int:
    """What is unknown may be worse than all that is known."""
    if unchecked:
        return UNKNOWN
    return DRIFT if any(not finding.waived for finding in findings) else CLEAN
