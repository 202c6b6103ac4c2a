"""What a check finds: plain data, so that a terminal, a notifier and a page can each show it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field, computed_field, field_validator

from stagecraft.harmless import harmless, harmless_lines

PACKAGE_FILE = "package file"
"""The kind of a file that is not as its package has brought it."""

MOUNT = "mount"
"""The kind of what hides other files."""

THEN = ", then "
"""In a remedy, between a command for the server and a run of deploy.py."""


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
    """Who moved, of a managed difference."""

    SERVER = "the server changed"
    FILES = "the files moved on"


class Finding(BaseModel):
    """One difference. It never holds a secret, nor anything that a terminal would obey, whatever
    names somebody has made on the server.

    `kind` and `thing` name it, in words that stay the same from night to night: `database user`
    and `evil@%`. `environment` is empty for what belongs to the whole machine. `since` and `who`
    are what the server itself knows; when a check first saw it, the history knows.
    """

    model_config = ConfigDict(frozen=True)

    class_: Class = Field(alias="class")
    severity: Severity
    kind: str
    thing: str
    server: str = ""
    environment: str = ""
    expected: str
    found: str
    remedy: str
    """The command that would put it right, as an operator types it."""
    refresh: str = ""
    """Of a file that a service loads, the command that has it loaded again. It must wait until
    all such files are put right."""
    cause: Cause | None = None
    diff: tuple[str, ...] = ()
    since: datetime | None = None
    who: str = ""

    @field_validator(
        "kind", "thing", "server", "environment", "expected", "found", "remedy", "refresh", "who"
    )
    @classmethod
    def _readable(cls, text: str) -> str:
        return harmless(text)

    @field_validator("diff")
    @classmethod
    def _readable_lines(cls, lines: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(map(harmless, lines))

    @computed_field  # type: ignore[prop-decorator]
    @property
    def id(self) -> str:
        """Stable from night to night: what waivers and the history go by. Without a colon after
        the server, so that it can be copied into YAML as it is."""
        place = "/".join(part for part in (self.server, self.environment) if part)
        return f"{place} {self.class_} {self.kind} {self.thing}"


def as_finding(
    class_: Class,
    severity: Severity,
    named: tuple[str, str],
    *,
    expected: str,
    found: str,
    remedy: str,
    refresh: str = "",
    environment: str = "",
    since: float = 0,
    who: str = "",
) -> Finding:
    """`named` are its kind and thing, `since` seconds since the epoch where the server knows it."""
    return Finding.model_validate(
        {
            "class": class_,
            "severity": severity,
            "kind": named[0],
            "thing": named[1],
            "environment": environment,
            "expected": expected,
            "found": found,
            "remedy": remedy,
            "refresh": refresh,
            "since": datetime.fromtimestamp(since, UTC) if since else None,
            "who": who,
        }
    )


class Hearsay(Finding):
    """One that is none if what neighbours' runs have recorded on the server is true: the checks of
    these environments say."""

    recorded_by: tuple[str, ...]


class Unchecked(BaseModel):
    """What could not be looked at, and why."""

    model_config = ConfigDict(frozen=True)

    server: str
    environment: str = ""
    area: str
    reason: str

    @field_validator("reason")
    @classmethod
    def _readable(cls, text: str) -> str:
        return harmless_lines(text)


class Coverage(BaseModel):
    """How much of what exists of a kind is declared."""

    model_config = ConfigDict(frozen=True)

    server: str
    kind: str
    declared: int
    total: int


class Report(BaseModel):
    """What one check of one inventory has found; without a server, of one that gave no answer."""

    model_config = ConfigDict(frozen=True)

    server: str = ""
    environment: str = ""
    findings: Sequence[Finding] = ()
    hearsay: Sequence[Hearsay] = ()
    unchecked: Sequence[Unchecked] = ()
    coverage: Sequence[Coverage] = ()
