"""The results of a check as the history keeps them, and how they changed since another check."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple, Self

from pydantic import Field

from stagecraft.drift.findings import Finding, Plain, Report, Severity, Unchecked


class KnownFinding(Plain):
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
    of others are copied from the previous check. `notified` means that notifications of the changes
    were sent; the file calls it `told`."""

    at: datetime
    checked: tuple[tuple[str, str], ...] = ()
    findings: tuple[KnownFinding, ...] = ()
    unknown: tuple[Unknown, ...] = ()
    notified: bool = Field(default=True, alias="told")


NOTHING = Snapshot(at=datetime.fromtimestamp(0, UTC))
"""The results before the first check."""


@dataclass(frozen=True)
class Scope:
    """Where a check has looked, and where it could not."""

    checked: frozenset[tuple[str, str]]
    blind: frozenset[tuple[str, str]]

    @classmethod
    def of(cls, reports: Sequence[Report]) -> Self:
        return cls(
            frozenset((report.server, report.environment) for report in reports if report.server),
            frozenset((gap.server, gap.environment) for r in reports for gap in r.unchecked),
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
    first_seen = {old.id: old.first_seen for old in before.findings}
    gaps = {old.key: old for old in before.unknown}
    found = {
        finding.id: KnownFinding(
            **finding.model_dump(include={"id", "server", "environment", "severity"}),
            first_seen=first_seen.get(finding.id, at),
            last_seen=at,
            waived=waived,
        )
        for finding, waived in findings
    }
    left = [old for old in before.findings if not scope.covers(old.server, old.environment)]
    now = [Unknown(**gap.model_dump(exclude={"reason"}), since=at) for gap in unchecked]
    return Snapshot(
        at=at,
        checked=tuple(sorted(scope.checked)),
        findings=(*found.values(), *(old for old in left if old.id not in found)),
        unknown=(
            *(gaps.get(gap.key, gap) for gap in now),
            *(gap for gap in before.unknown if not scope.asked_for(gap)),
        ),
    )


class Changes(NamedTuple):
    """The differences from the previous snapshot."""

    new: tuple[KnownFinding, ...]
    worse: tuple[KnownFinding, ...]
    resolved: tuple[KnownFinding, ...]
    unknown: tuple[Unknown, ...]
    known_again: tuple[Unknown, ...]


def changes(before: Snapshot, now: Snapshot) -> Changes:
    """Waived findings are left out; when a waiver ends, its finding is new."""
    old = {known.id: known for known in before.findings if not known.waived}
    rank = {id: known.severity.rank for id, known in old.items()}
    current = [known for known in now.findings if not known.waived]
    present = {known.id for known in now.findings}
    gaps_before, gaps_now = ({gap.key for gap in one.unknown} for one in (before, now))
    return Changes(
        new=tuple(known for known in current if known.id not in old),
        worse=tuple(known for known in current if known.severity.rank < rank.get(known.id, 0)),
        resolved=tuple(known for id, known in old.items() if id not in present),
        unknown=tuple(gap for gap in now.unknown if gap.key not in gaps_before),
        known_again=tuple(gap for gap in before.unknown if gap.key not in gaps_now),
    )
