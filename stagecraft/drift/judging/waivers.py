"""Accepted differences: by waivers.yml for a while, by accepted.yml while they stay the same."""

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from math import inf
from pathlib import Path
from typing import Annotated, Any, ClassVar

import yaml
from pydantic import Field, PlainValidator

from stagecraft.drift.findings import Class, Finding, Severity
from stagecraft.drift.judging.changes import Scope
from stagecraft.settings.setting import Setting
from stagecraft.settings.shape import Shape
from stagecraft.yaml_files import Problem, SettingsError, YamlFile, read_yaml

FILE = "waivers.yml"
ACCEPTED = "accepted.yml"
LONGEST = timedelta(days=366)
A_MONTH = timedelta(days=30)
NotEmpty = Annotated[str, Field(min_length=1)]


def day(value: Any) -> date:
    try:
        return date.fromisoformat(value)
    except (TypeError, ValueError):
        raise ValueError(f"{value!r} must be a date like 2026-12-31") from None


class Acceptance(Setting):
    """An entry of either file, for findings with its id."""

    id: str = Field(exclude=True)
    reason: NotEmpty
    owner: NotEmpty

    file: ClassVar[str]

    def covers(self, finding: Finding) -> bool:
        raise NotImplementedError

    def expired(self, today: date) -> bool:
        """Accepted things have no end."""
        return False

    @property
    def place(self) -> tuple[str, str] | None:
        """The server and environment at the beginning of its id; None if they contain wildcards."""
        server, _, environment = self.id.split(" ", 1)[0].partition("/")
        return None if "*" in server + environment else (server, environment)


class Waiver(Acceptance):
    """Covers findings with this id, where `*` matches anything, through the day `until`."""

    until: Annotated[date, PlainValidator(day)]

    file: ClassVar[str] = FILE

    def covers(self, finding: Finding) -> bool:
        if finding.class_ == Class.WAIVER:
            return False
        pattern = ".*".join(map(re.escape, self.id.split("*")))
        return re.fullmatch(pattern, finding.id, re.DOTALL) is not None

    def expired(self, today: date) -> bool:
        return self.until < today


class Accepted(Acceptance):
    """Covers the finding with this id as long as what was `found` there stays the same."""

    found: NotEmpty

    file: ClassVar[str] = ACCEPTED

    def covers(self, finding: Finding) -> bool:
        return (finding.id, fingerprint(finding)) == (self.id, self.found)


def fingerprint(finding: Finding) -> str:
    """Of what was found there: of a file, its owner, mode and content."""
    return hashlib.sha256(finding.found.encode()).hexdigest()[:32]


@dataclass(frozen=True)
class Waivers:
    """Both files on a given day."""

    all: tuple[Acceptance, ...]
    today: date

    def of(self, finding: Finding) -> Acceptance | None:
        """The entry that covers it today."""
        valid = (entry for entry in self.all if not entry.expired(self.today))
        return next((entry for entry in valid if entry.covers(finding)), None)

    def findings(self, findings: Iterable[Finding], scope: Scope) -> Iterator[Finding]:
        """Findings about waivers. An unused one is reported only if all of its place was
        checked."""
        given = list(findings)
        for waiver in self.all:
            looked_at = waiver.place is not None and scope.covers(*waiver.place)
            if isinstance(waiver, Waiver) and waiver.expired(self.today):
                kind, found = "expired", f"it expired after {waiver.until}"
            elif looked_at and not any(map(waiver.covers, given)):
                kind, found = "unused", "it no longer covers any difference"
            else:
                continue
            server, environment = waiver.place or ("", "")
            yield Finding(
                class_=Class.WAIVER,
                severity=Severity.LOW,
                kind=kind,
                thing=waiver.id,
                server=server,
                environment=environment,
                expected="a waiver that is still needed and has not expired"
                f" (owner: {waiver.owner})",
                found=found,
                remedy=f"remove it from {waiver.file}, or ask {waiver.owner}",
            )


def entry(finding: Finding, today: date) -> str:
    """A line for waivers.yml that waives the finding for a month, for somebody to complete."""
    waiver = {"reason": "", "owner": "", "until": today + A_MONTH}
    text = yaml.safe_dump({finding.id: waiver}, default_flow_style=None, sort_keys=False, width=inf)
    return text.rstrip("\n")


def read_waivers(root: Path, today: date) -> Waivers:
    """What the files in this directory accept. Raises SettingsError with all problems."""
    problems: list[Problem] = []
    read: list[Acceptance | None] = []
    for kind in (Waiver, Accepted):
        if (root / kind.file).exists():
            source = read_yaml(root / kind.file, root)
            read += [entry_of(kind, source, id, problems, today) for id in source.data]
    if problems:
        raise SettingsError(problems)
    return Waivers(tuple(entry for entry in read if entry), today)


def entry_of(
    kind: type[Acceptance], source: YamlFile, id: str, problems: list[Problem], today: date
) -> Acceptance | None:
    def refuse(path: tuple[str | int, ...], message: str) -> None:
        problems.append(source.problem((id, *path), message))

    found = Shape(Path(), refuse).fit(kind, source.data[id], id=id)
    if isinstance(found, Waiver) and found.until > today + LONGEST:
        refuse(("until",), f"must be at most a year ahead: not after {today + LONGEST}")
    return found
