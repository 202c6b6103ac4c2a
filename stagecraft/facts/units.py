"""Anomalies of systemd units."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from stagecraft.facts.reading import Fact, by_kind, fields, moments
from stagecraft.facts.services import parse_timestamp


@dataclass(frozen=True)
class Failure:
    """A failed unit, systemd's result, and when; `file` is empty if the unit file is gone."""

    unit: str
    result: str
    since: float
    file: str


@dataclass(frozen=True)
class Units:
    """`unread` are unit files and drop-ins changed since systemd last read them all; `until_boot`
    are those in /run that override a unit, with the time of the change. `gone` are missing files of
    running units, empty if systemd no longer knows the path. `environment` are the names of
    variables that systemd was told to pass to everything it starts."""

    failed: tuple[Failure, ...] = ()
    unread: dict[str, float] = field(default_factory=dict)
    until_boot: dict[str, float] = field(default_factory=dict)
    gone: dict[str, str] = field(default_factory=dict)
    environment: tuple[str, ...] = ()


class UnitsFact(Fact[Units]):
    def process(self, output: list[str]) -> Units:
        found = by_kind(output)
        read = max((parse_timestamp(line.partition("\t")[2]) for line in found["read"]), default=0)
        gone: dict[str, str] = {}
        for unit, path in fields(found["gone"]):
            gone.setdefault(unit, path.strip("-"))
        return Units(
            failed=tuple(failures(found["failed"])),
            unread={p: moment for p, moment in moments(found["changed"]).items() if moment > read},
            until_boot=moments(found["until-boot"]),
            gone=gone,
            environment=tuple(found["environment"]),
        )


def failures(lines: list[str]) -> Iterator[Failure]:
    """Reads a line for each property; an empty line separates units."""
    for unit in filter(None, "\n".join(lines).split("\n\n")):
        value = dict(line.split("\t") for line in unit.splitlines())
        since = parse_timestamp(value["StateChangeTimestamp"])
        yield Failure(value["Id"], value["Result"], since, value["FragmentPath"])
