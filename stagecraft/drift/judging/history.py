"""What past checks have seen: `drift.jsonl`, a line for each check. Every line stands for itself:
it says all that is known to differ, so that only the end of the file is ever read."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from errno import ENOSPC
from io import FileIO
from itertools import islice
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from stagecraft.drift.findings import Finding, Report, Severity, Unchecked

BLOCK = 65536
"""Bytes read at once, from the end on."""

REMEMBERED = 100
"""Checks that a dead notifier may miss; then it is told everything anew."""


class Line(BaseModel):
    model_config = ConfigDict(frozen=True)


class Seen(Line):
    """A finding as the history knows it: what it is, and nothing of what was found there."""

    id: str
    server: str
    environment: str
    severity: Severity
    first_seen: datetime
    last_seen: datetime
    waived: bool = False


class Unknown(Line):
    """What could not be looked at."""

    server: str
    environment: str
    area: str
    since: datetime


class Night(Line):
    """What was known after a check. `checked` are the servers and environments that it looked at;
    of the others, it repeats what the night before knew. `told` says whether the news have reached
    those who are to be notified."""

    at: datetime
    checked: tuple[tuple[str, str], ...]
    findings: tuple[Seen, ...] = ()
    unknown: tuple[Unknown, ...] = ()
    told: bool = True


@dataclass(frozen=True)
class Looked:
    """Where a check has looked, and where it could not."""

    checked: frozenset[tuple[str, str]]
    blind: frozenset[tuple[str, str]]

    @classmethod
    def at(cls, reports: Iterable[Report], unchecked: Iterable[Unchecked]) -> Looked:
        return cls(
            frozenset((report.server, report.environment) for report in reports if report.server),
            frozenset((gap.server, gap.environment) for gap in unchecked),
        )

    def at_all_of(self, server: str, environment: str) -> bool:
        """Whether what was not found there is not there. An environment's check looks at the
        machine, too."""
        if (server, "") in self.blind or (server, environment) in self.blind:
            return False
        if environment:
            return (server, environment) in self.checked
        return server == "" or any(name == server for name, _ in self.checked)


def night(
    before: Night | None,
    at: datetime,
    looked: Looked,
    findings: Sequence[tuple[Finding, bool]],
    unchecked: Sequence[Unchecked],
) -> Night:
    """What is known now. `findings` come with whether they are waived."""
    known = {seen.id: seen for seen in before.findings} if before else {}
    now = {finding.id for finding, _ in findings}
    return Night(
        at=at,
        checked=tuple(sorted(looked.checked)),
        findings=(
            *(seen(known.get(f.id), at, f, waived) for f, waived in findings),
            # What was there and may still be: nobody has looked.
            *(
                old
                for id, old in known.items()
                if id not in now and not looked.at_all_of(old.server, old.environment)
            ),
        ),
        unknown=(
            *(gap_now(before, at, gap) for gap in unchecked),
            *gaps_elsewhere(before, looked),
        ),
    )


def seen(known: Seen | None, at: datetime, finding: Finding, waived: bool) -> Seen:
    return Seen(
        id=finding.id,
        server=finding.server,
        environment=finding.environment,
        severity=finding.severity,
        first_seen=known.first_seen if known else at,
        last_seen=at,
        waived=waived,
    )


def gap_now(before: Night | None, at: datetime, gap: Unchecked) -> Unknown:
    now = Unknown(server=gap.server, environment=gap.environment, area=gap.area, since=at)
    known = (old for old in (before.unknown if before else ()) if key(old) == key(now))
    return next(known, now)


def gaps_elsewhere(before: Night | None, looked: Looked) -> Iterator[Unknown]:
    """What was unknown where this check was not asked to look."""
    asked = looked.checked | looked.blind
    for known in before.unknown if before else ():
        place = (known.server, known.environment)
        elsewhere = (
            place not in asked
            if known.environment
            else all(server != known.server for server, _ in asked)
        )
        if elsewhere:
            yield known


def key(gap: Unknown) -> tuple[str, str, str]:
    return gap.server, gap.environment, gap.area


@dataclass(frozen=True)
class News:
    """What has changed between two nights, for those who know the first."""

    new: tuple[Seen, ...]
    worse: tuple[Seen, ...]
    resolved: tuple[Seen, ...]
    unknown: tuple[Unknown, ...]
    known_again: tuple[Unknown, ...]

    def __bool__(self) -> bool:
        return any((self.new, self.worse, self.resolved, self.unknown, self.known_again))


def news(before: Night | None, now: Night) -> News:
    """A waived finding is none, until its waiver ends: then it is new."""
    old = {seen.id: seen for seen in (before.findings if before else ()) if not seen.waived}
    current = {seen.id: seen for seen in now.findings if not seen.waived}
    waived = {seen.id for seen in now.findings if seen.waived}
    old_gaps = {key(gap): gap for gap in (before.unknown if before else ())}
    gaps = {key(gap): gap for gap in now.unknown}
    return News(
        new=tuple(seen for id, seen in current.items() if id not in old),
        worse=tuple(
            seen
            for id, seen in current.items()
            if id in old and seen.severity.rank < old[id].severity.rank
        ),
        resolved=tuple(old[id] for id in old if id not in current and id not in waived),
        unknown=tuple(gaps[place] for place in gaps if place not in old_gaps),
        known_again=tuple(old_gaps[place] for place in old_gaps if place not in gaps),
    )


class History:
    """The file, for as long as one check has it to itself. All methods raise OSError."""

    def __init__(self, file: FileIO) -> None:
        self._file = file

    def last(self) -> Night | None:
        return next(self._nights(), None)

    def last_told(self) -> Night | None:
        """The last night whose news have arrived, if that is not too long ago."""
        return next((night for night in islice(self._nights(), REMEMBERED) if night.told), None)

    def append(self, night: Night) -> None:
        """On disk when it returns; a line that a crash has torn before it is ended."""
        end = self._file.seek(0, os.SEEK_END)
        torn = end > 0 and os.pread(self._file.fileno(), 1, end - 1) != b"\n"
        line = night.model_dump_json().encode() + b"\n"
        line = b"\n" + line if torn else line
        if self._file.write(line) < len(line):
            raise OSError(ENOSPC, os.strerror(ENOSPC), self._file.name)
        os.fsync(self._file.fileno())

    def _nights(self) -> Iterator[Night]:
        """The newest first; what is no line of ours is passed over."""
        for line in self._lines():
            try:
                yield Night.model_validate_json(line)
            except ValidationError:
                continue

    def _lines(self) -> Iterator[bytes]:
        """The whole lines from the last to the first, read no further than they are asked for."""
        start = self._file.seek(0, os.SEEK_END)
        rest = b""
        while start > 0:
            size = min(BLOCK, start)
            start -= size
            rest = os.pread(self._file.fileno(), size, start) + rest
            first, *lines = rest.split(b"\n")
            yield from (line for line in reversed(lines) if line)
            rest = first
        yield rest


@contextmanager
def history(path: Path) -> Iterator[History]:
    """The history at `path`, which is made where it is not; a second check waits for its turn.
    Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    with FileIO(descriptor, "a+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield History(file)
