"""Anomalies of systemd units."""

from dataclasses import dataclass, field

from stagecraft.facts.reading import Fact
from stagecraft.facts.services import parse_timestamp


@dataclass(frozen=True)
class Failure:
    """A failed unit: systemd's result, and the time in seconds since the epoch. `file` is empty if
    the unit file is gone."""

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


def parse_units(lines: list[str]) -> Units:
    """Reads tab-separated lines."""
    read = 0.0
    failed: list[dict[str, str]] = []
    changed: dict[str, dict[str, float]] = {"changed": {}, "until-boot": {}}
    gone: dict[str, str] = {}
    environment: list[str] = []
    for line in lines:
        kind, *words = line.split("\t")
        if kind == "read":
            read = max(read, parse_timestamp(words[1]))
        elif kind == "failed" and len(words) == 2:
            # An empty line separates units.
            failed = failed or [{}]
            failed[-1][words[0]] = words[1]
        elif kind == "failed":
            failed.append({})
        elif kind in changed:
            changed[kind][words[1]] = float(words[0])
        elif kind == "gone":
            gone.setdefault(words[0], words[1].strip("-"))
        elif kind == "environment":
            environment.append(words[0])
    return Units(
        failed=tuple(
            Failure(
                unit["Id"],
                unit["Result"],
                parse_timestamp(unit["StateChangeTimestamp"]),
                unit["FragmentPath"],
            )
            for unit in failed
            if unit
        ),
        unread={path: moment for path, moment in changed["changed"].items() if moment > read},
        until_boot=changed["until-boot"],
        gone=gone,
        environment=tuple(environment),
    )


class UnitsFact(Fact[Units]):
    parse = staticmethod(parse_units)
