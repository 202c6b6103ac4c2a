"""What a check finds: plain data, so that a terminal, a notifier and a page can each show it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, computed_field

from stagecraft.harmless import harmless, harmless_lines

THEN = ", then "
"""In a remedy, between a command for the server and a run of deploy.py."""

Text = Annotated[str, AfterValidator(harmless)]
"""On one line, and nothing in it that a terminal would obey."""

Moment = Annotated[datetime | None, BeforeValidator(lambda moment: moment or None)]
"""Also given as seconds since the epoch; 0 is unknown."""


class Class(StrEnum):
    """Where a difference shows."""

    MANAGED = "managed"
    """A run would change it: the server is not as declared."""
    UNMANAGED = "unmanaged"
    """Nobody declared it."""
    RUNNING = "running"
    """What runs is not what is on disk."""
    WEARING = "wearing out"
    """It is going to fail by itself."""
    WAIVER = "waiver"
    """waivers.yml itself."""


class Severity(StrEnum):
    """How soon somebody must look, the soonest first."""

    CRITICAL = "critical"
    """Now: somebody may get in, or the sites are down or about to be."""
    HIGH = "high"
    """Today."""
    LOW = "low"
    """When there is time."""

    @property
    def rank(self) -> int:
        """0 for the worst."""
        return list(Severity).index(self)


class Cause(StrEnum):
    """Whose change it is, of a managed difference."""

    SERVER = "the server changed"
    FILES = "the files moved on"


class Plain(BaseModel):
    model_config = ConfigDict(frozen=True, populate_by_name=True)


class Finding(Plain):
    """One difference. It never holds a secret, nor anything that a terminal would obey, whatever
    names somebody has made on the server.

    `kind` and `thing` name it, in words that stay the same from check to check: `database user`
    and `evil@%`. `environment` is empty for what belongs to the whole machine. `since` and `who`
    are what the server itself knows; when a check first saw it, the history knows.
    """

    class_: Class = Field(alias="class")
    severity: Severity
    kind: Text
    thing: Text
    server: Text = ""
    environment: Text = ""
    expected: Text
    found: Text
    remedy: Text
    """The command that would put it right, as an operator types it."""
    refresh: Text = ""
    """Of a file that a service loads, the command that has it loaded again. It must wait until
    all such files are put right."""
    cause: Cause | None = None
    diff: tuple[Text, ...] = ()
    since: Moment = None
    who: Text = ""

    @computed_field  # type: ignore[prop-decorator]
    @property
    def id(self) -> str:
        """Stable from check to check: what waivers and the history go by. Without a colon after
        the server, so that it can be copied into YAML as it is."""
        place = "/".join(part for part in (self.server, self.environment) if part)
        return f"{place} {self.class_} {self.kind} {self.thing}"


class Unconfirmed(Finding):
    """One that is none if what neighbours' runs have recorded on the server is true: the checks of
    these environments say."""

    recorded_by: tuple[str, ...]


@dataclass(frozen=True)
class Kind:
    """What a check looks for: what is expected of every such thing, and how bad it is otherwise,
    unless a finding says so itself."""

    class_: Class
    name: str
    expected: str = "absent: nobody declared it"
    severity: Severity = Severity.HIGH

    def finding(
        self,
        thing: str,
        *,
        found: str,
        remedy: str,
        severity: Severity | None = None,
        expected: str = "",
        refresh: str = "",
        environment: str = "",
        since: float = 0,
        who: str = "",
    ) -> Finding:
        """`since` is in seconds since the epoch, where the server knows it."""
        return Finding(
            class_=self.class_,
            severity=severity or self.severity,
            kind=self.name,
            thing=thing,
            environment=environment,
            expected=expected or self.expected,
            found=found,
            remedy=remedy,
            refresh=refresh,
            since=since,
            who=who,
        )


MOUNT = Kind(Class.RUNNING, "mount", "nothing is mounted there")
PACKAGE_FILE = Kind(Class.UNMANAGED, "package file", "as in its package")


class Unchecked(Plain):
    """What could not be looked at, and why."""

    server: str
    environment: str = ""
    area: str
    reason: Annotated[str, AfterValidator(harmless_lines)]


class Coverage(Plain):
    """How much of what exists of a kind is declared."""

    server: str = ""
    kind: str = ""
    declared: int
    total: int


class Report(Plain):
    """What one check of one inventory has found; without a server, of one that gave no answer."""

    server: str = ""
    environment: str = ""
    findings: Sequence[Finding] = ()
    unconfirmed: Sequence[Unconfirmed] = ()
    unchecked: Sequence[Unchecked] = ()
    coverage: Sequence[Coverage] = ()
