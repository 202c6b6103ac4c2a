"""What was known after a check, and what has changed since another one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from stagecraft.drift.findings import Finding, Plain, Report, Severity, Unchecked


class Seen(Plain):
    """A finding as the history knows it: what it is, and nothing of what was found there."""

    id: str
    server: str
    environment: str
    severity: Severity
    first_seen: datetime
    last_seen: datetime
    waived: bool = False


class Unknown(Plain):
    """What could not be looked at."""

    server: str
    environment: str
    area: str
    since: datetime

    @property
    def key(self) -> tuple[str, str, str]:
        return self.server, self.environment, self.area


class Snapshot(Plain):
    """What was known after a check. `checked` are the servers and environments that it looked at;
    of the others, it repeats what the check before knew. `told` says whether the changes have
    reached those who are to be notified."""

    at: datetime
    checked: tuple[tuple[str, str], ...] = ()
    findings: tuple[Seen, ...] = ()
    unknown: tuple[Unknown, ...] = ()
    told: bool = True


NOTHING = Snapshot(at=datetime.fromtimestamp(0, UTC))
"""What is known before the first check."""


@dataclass(frozen=True)
class Scope:
    """Where a check has looked, and where it could not."""

    checked: frozenset[tuple[str, str]]
    blind: frozenset[tuple[str, str]]

    @classmethod
    def of(cls, reports: Iterable[Report]) -> Scope:
        given = list(reports)
        return cls(
            frozenset((report.server, report.environment) for report in given if report.server),
            frozenset((gap.server, gap.environment) for r in given for gap in r.unchecked),
        )

    def covers(self, server: str, environment: str) -> bool:
        """Whether what was not found there is not there. An environment's check looks at the
        machine, too."""
        if (server, "") in self.blind or (server, environment) in self.blind:
            return False
        if environment:
            return (server, environment) in self.checked
        return server == "" or any(name == server for name, _ in self.checked)

    def asked_for(self, gap: Unknown) -> bool:
        """Whether this check was to look where the gap is."""
        asked = self.checked | self.blind
        if gap.environment:
            return (gap.server, gap.environment) in asked
        return any(server == gap.server for server, _ in asked)


def snapshot(
    before: Snapshot,
    at: datetime,
    scope: Scope,
    findings: Sequence[tuple[Finding, bool]],
    unchecked: Sequence[Unchecked],
) -> Snapshot:
    """What is known now. `findings` come with whether they are waived. What was there and may
    still be, since nobody has looked, is kept."""
    seen = {old.id: old for old in before.findings}
    gaps = {old.key: old for old in before.unknown}
    now = [Unknown(**gap.model_dump(exclude={"reason"}), since=at) for gap in unchecked]
    found = {finding.id for finding, _ in findings}
    return Snapshot(
        at=at,
        checked=tuple(sorted(scope.checked)),
        findings=(
            *(
                Seen(
                    **finding.model_dump(include={"id", "server", "environment", "severity"}),
                    first_seen=seen[finding.id].first_seen if finding.id in seen else at,
                    last_seen=at,
                    waived=waived,
                )
                for finding, waived in findings
            ),
            *(
                old
                for id, old in seen.items()
                if id not in found and not scope.covers(old.server, old.environment)
            ),
        ),
        unknown=(
            *(gaps.get(gap.key, gap) for gap in now),
            *(gap for gap in before.unknown if not scope.asked_for(gap)),
        ),
    )


@dataclass(frozen=True)
class Changes:
    """What is different for those who know the snapshot before."""

    new: tuple[Seen, ...]
    worse: tuple[Seen, ...]
    resolved: tuple[Seen, ...]
    unknown: tuple[Unknown, ...]
    known_again: tuple[Unknown, ...]

    def __bool__(self) -> bool:
        return any((self.new, self.worse, self.resolved, self.unknown, self.known_again))


def changes(before: Snapshot, now: Snapshot) -> Changes:
    """A waived finding is none, until its waiver ends: then it is new."""
    old = {seen.id: seen for seen in before.findings if not seen.waived}
    current = {seen.id: seen for seen in now.findings if not seen.waived}
    waived = {seen.id for seen in now.findings if seen.waived}
    return Changes(
        new=tuple(seen for id, seen in current.items() if id not in old),
        worse=tuple(
            seen
            for id, seen in current.items()
            if id in old and seen.severity.rank < old[id].severity.rank
        ),
        resolved=tuple(old[id] for id in old if id not in current and id not in waived),
        unknown=tuple(gaps_only_in(now, before)),
        known_again=tuple(gaps_only_in(before, now)),
    )


def gaps_only_in(one: Snapshot, other: Snapshot) -> Iterator[Unknown]:
    known = {gap.key for gap in other.unknown}
    return (gap for gap in one.unknown if gap.key not in known)
