"""The results of a check as the history keeps them, and how they changed since another check."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from stagecraft.drift.findings import Finding, Plain, Report, Severity, Unchecked


class Seen(Plain):
    """A finding in the history, without its details."""

    id: str
    server: str
    environment: str
    severity: Severity
    first_seen: datetime
    last_seen: datetime
    waived: bool = False


class Unknown(Plain):
    """Something that could not be checked."""

    server: str
    environment: str
    area: str
    since: datetime

    @property
    def key(self) -> tuple[str, str, str]:
        return self.server, self.environment, self.area


class Snapshot(Plain):
    """The results of a check. `checked` are the servers and environments that it covered; results
    of others are copied from the previous check. `told` means that notifications of the changes
    were sent."""

    at: datetime
    checked: tuple[tuple[str, str], ...] = ()
    findings: tuple[Seen, ...] = ()
    unknown: tuple[Unknown, ...] = ()
    told: bool = True


NOTHING = Snapshot(at=datetime.fromtimestamp(0, UTC))
"""The results before the first check."""


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
        """Whether a missing finding there means that there is none. An environment's check also
        covers the machine."""
        if (server, "") in self.blind or (server, environment) in self.blind:
            return False
        if environment:
            return (server, environment) in self.checked
        return server == "" or any(name == server for name, _ in self.checked)

    def asked_for(self, gap: Unknown) -> bool:
        """Whether this check was meant to cover the gap's place."""
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
    """The present results. `findings` are pairs with whether they are waived. Keeps previous
    findings where nothing was checked."""
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
    """The differences from the previous snapshot."""

    new: tuple[Seen, ...]
    worse: tuple[Seen, ...]
    resolved: tuple[Seen, ...]
    unknown: tuple[Unknown, ...]
    known_again: tuple[Unknown, ...]

    def __bool__(self) -> bool:
        return any((self.new, self.worse, self.resolved, self.unknown, self.known_again))


def changes(before: Snapshot, now: Snapshot) -> Changes:
    """Waived findings are left out; when a waiver ends, its finding is new."""
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
