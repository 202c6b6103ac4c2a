"""What a check finds, as plain data for the terminal, notifications and JSON."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Annotated, TypedDict, Unpack

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, computed_field

from stagecraft.harmless import harmless, harmless_lines

THEN = ", then "
"""In a remedy, between a command on the server and a run of deploy.py."""

Text = Annotated[str, AfterValidator(harmless)]
"""One line, without terminal control characters."""

Moment = Annotated[datetime | None, BeforeValidator(lambda moment: moment or None)]
"""May also be given in seconds since the epoch; 0 means unknown."""


class Class(StrEnum):
    """Where a difference is."""

    MANAGED = "managed"
    """A run would change it."""
    UNMANAGED = "unmanaged"
    """It is undeclared."""
    RUNNING = "running"
    """The running state differs from the disk."""
    WEARING = "wearing out"
    """It is going to fail without a change."""
    WAIVER = "waiver"
    """It is in waivers.yml."""


class Severity(StrEnum):
    """How urgent a finding is, most urgent first."""

    CRITICAL = "critical"
    """Now: somebody may get in, or sites are down or about to be."""
    HIGH = "high"
    """Today."""
    LOW = "low"
    """When there is time."""

    @property
    def rank(self) -> int:
        """0 is the most urgent."""
        return list(Severity).index(self)


class Cause(StrEnum):
    """Who caused a managed difference."""

    SERVER = "the server changed"
    FILES = "the files moved on"


class Plain(BaseModel):
    model_config = ConfigDict(frozen=True, populate_by_name=True)


class Finding(Plain):
    """One difference. It contains no secret and no terminal control characters, whatever names
    exist on the server.

    `kind` and `thing` name it in words that stay the same from check to check, such as `database
    user` and `evil@%`. `environment` is empty for the machine as a whole. `since` and `who` are
    from the server; the history knows when a check first saw it.
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
    """The command that fixes it, as an operator types it."""
    refresh: Text = ""
    """For a file that a service loads, the command that reloads it, which must wait until all such
    files are fixed."""
    cause: Cause | None = None
    diff: tuple[Text, ...] = ()
    since: Moment = None
    who: Text = ""
    whole: Text = ""
    """What it is a part of, such as a package or a directory, and `whole_remedy` puts that right
    with all its parts."""
    whole_remedy: Text = ""
    recorded_by: tuple[str, ...] = ()
    """Neighbouring environments whose runs recorded its paths on the server. Unconfirmed: dropped
    if their own checks declare the paths."""

    @computed_field  # type: ignore[prop-decorator]
    @property
    def id(self) -> str:
        """Stable between checks, for waivers and the history. It has no colon after the server, so
        that it can be copied into YAML unquoted."""
        place = "/".join(part for part in (self.server, self.environment) if part)
        return f"{place} {self.class_} {self.kind} {self.thing}"


class Details(TypedDict, total=False):
    """`since` is in seconds since the epoch."""

    severity: Severity
    refresh: str
    environment: str
    since: float
    who: str
    whole: str
    whole_remedy: str
    recorded_by: tuple[str, ...]


@dataclass(frozen=True)
class Kind:
    """A kind of finding: what is expected of every such thing, and the severity unless a finding
    sets its own."""

    class_: Class
    name: str
    expected: str = "absent: nobody declared it"
    severity: Severity = Severity.HIGH

    def finding(
        self, thing: str, *, found: str, remedy: str, expected: str = "", **details: Unpack[Details]
    ) -> Finding:
        return Finding(
            class_=self.class_,
            kind=self.name,
            thing=thing,
            expected=expected or self.expected,
            found=found,
            remedy=remedy,
            **{"severity": self.severity, **details},
        )

    def includes(self, finding: Finding) -> bool:
        return (finding.class_, finding.kind) == (self.class_, self.name)


MOUNT = Kind(Class.RUNNING, "mount", "nothing is mounted there")
PACKAGE_FILE = Kind(Class.UNMANAGED, "package file", "as in its package")


class Unchecked(Plain):
    """What could not be checked, and why."""

    server: str
    environment: str = ""
    area: str
    reason: Annotated[str, AfterValidator(harmless_lines)]


class Coverage(Plain):
    """How many of the existing things of a kind are declared. Without a `total`, its area's
    findings are all the others."""

    server: str = ""
    kind: str = ""
    declared: int
    total: int = 0


class Report(Plain):
    """The result of checking one inventory; without a server if there was no answer."""

    server: str = ""
    environment: str = ""
    findings: Sequence[Finding] = ()
    unconfirmed: Sequence[Finding] = ()
    unchecked: Sequence[Unchecked] = ()
    coverage: Sequence[Coverage] = ()
    explanations: Sequence[Text] = ()
