"""What is odd about systemd's units."""

from __future__ import annotations

from dataclasses import dataclass, field

from stagecraft.facts.reading import Fact
from stagecraft.facts.services import parse_timestamp


@dataclass(frozen=True)
class Failure:
    """A unit that has failed: how, in systemd's word, and when in seconds since the epoch. Its
    `file` is empty where it has none any more."""

    unit: str
    result: str
    since: float
    file: str


@dataclass(frozen=True)
class Units:
    """`unread` are unit files and drop-ins that changed since systemd last read them all, and
    `until_boot` those in /run that override a unit, with the moment of the change. `gone` are the
    files of units that run, which systemd has loaded and which are not there any more; empty where
    systemd has forgotten, too, which one it was. `environment` are the variables that somebody has
    systemd give to all that it starts, without their values."""

    failed: tuple[Failure, ...] = ()
    unread: dict[str, float] = field(default_factory=dict)
    until_boot: dict[str, float] = field(default_factory=dict)
    gone: dict[str, str] = field(default_factory=dict)
    environment: tuple[str, ...] = ()


def parse_units(lines: list[str]) -> Units:
    """Reads the tab-separated lines of `units.sh`."""
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
            # An empty line divides the units.
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
    """The `Units` that are odd."""

    parse = staticmethod(parse_units)
