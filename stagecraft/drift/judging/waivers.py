"""waivers.yml: accepted differences, each with an owner and an end."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from math import inf
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import Field, PlainValidator

from stagecraft.drift.findings import Class, Finding, Severity
from stagecraft.drift.judging.changes import Scope
from stagecraft.settings.setting import Setting
from stagecraft.settings.shape import Shape
from stagecraft.yaml_files import Problem, SettingsError, YamlFile, read_yaml

FILE = "waivers.yml"
LONGEST = timedelta(days=366)
A_MONTH = timedelta(days=30)
NotEmpty = Annotated[str, Field(min_length=1)]


def day(value: Any) -> date:
    try:
        return date.fromisoformat(value)
    except (TypeError, ValueError):
        raise ValueError(f"{value!r} must be a date like 2026-12-31") from None


class Waiver(Setting):
    """Covers findings with this id, where `*` matches anything, through the day `until`."""

    id: str = Field(exclude=True)
    reason: NotEmpty
    owner: NotEmpty
    until: Annotated[date, PlainValidator(day)]

    def covers(self, finding: Finding) -> bool:
        if finding.class_ == Class.WAIVER:
            return False
        pattern = ".*".join(map(re.escape, self.id.split("*")))
        return re.fullmatch(pattern, finding.id, re.DOTALL) is not None

    @property
    def place(self) -> tuple[str, str] | None:
        """The server and environment at the beginning of its id; None if they contain wildcards."""
        server, _, environment = self.id.split(" ", 1)[0].partition("/")
        return None if "*" in server + environment else (server, environment)


@dataclass(frozen=True)
class Waivers:
    """The whole file on a given day."""

    all: tuple[Waiver, ...]
    today: date

    def of(self, finding: Finding) -> Waiver | None:
        """The waiver that covers it today."""
        return next((w for w in self.all if w.until >= self.today and w.covers(finding)), None)

    def findings(self, findings: Iterable[Finding], scope: Scope) -> Iterator[Finding]:
        """Findings about waivers. An unused one is reported only if all of its place was
        checked."""
        given = list(findings)
        for waiver in self.all:
            looked_at = waiver.place is not None and scope.covers(*waiver.place)
            if waiver.until < self.today:
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
                remedy=f"remove it from {FILE}, or have {waiver.owner} set a new date",
            )


def entry(finding: Finding, today: date) -> str:
    """A line for waivers.yml that waives the finding for a month, for somebody to complete."""
    waiver = {"reason": "", "owner": "", "until": today + A_MONTH}
    text = yaml.safe_dump({finding.id: waiver}, default_flow_style=None, sort_keys=False, width=inf)
    return text.rstrip("\n")


def read_waivers(path: Path, today: date) -> Waivers:
    """The waivers in the file; empty without one. Raises SettingsError with all problems."""
    if not path.exists():
        return Waivers((), today)
    source = read_yaml(path, path.parent)
    problems: list[Problem] = []
    read = [waiver_of(source, id, problems, today) for id in source.data]
    if problems:
        raise SettingsError(problems)
    return Waivers(tuple(waiver for waiver in read if waiver), today)


def waiver_of(source: YamlFile, id: str, problems: list[Problem], today: date) -> Waiver | None:
    def refuse(path: tuple[str | int, ...], message: str) -> None:
        problems.append(source.problem((id, *path), message))

    waiver = Shape(Path(), refuse).fit(Waiver, source.data[id], id=id)
    if waiver and waiver.until > today + LONGEST:
        refuse(("until",), f"must be at most a year ahead: not after {today + LONGEST}")
    return waiver
