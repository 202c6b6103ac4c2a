"""When things last changed, and who was there: what the journal and apt's history tell."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field
from pathlib import Path

from pyinfra.api.facts import FactBase

from stagecraft.facts.reading import reading

READ_TRAIL = Path(__file__).with_suffix(".sh").read_text()


@dataclass(frozen=True)
class Sudo:
    """A command that somebody ran as root. Its line may hold a secret."""

    moment: float
    user: str
    line: str = field(repr=False)


@dataclass(frozen=True)
class Login:
    """A login with the key of this fingerprint (`SHA256:…`)."""

    moment: float
    user: str
    fingerprint: str


@dataclass(frozen=True)
class Apt:
    """A change of packages: by which command, and at whose request where apt knows."""

    moment: float
    command: str
    user: str
    packages: frozenset[str]


@dataclass(frozen=True)
class Trail:
    """Moments are seconds since the epoch. `paths` and `units` are when each last changed."""

    paths: dict[str, float] = field(default_factory=dict)
    units: dict[str, float] = field(default_factory=dict)
    sudo: tuple[Sudo, ...] = ()
    logins: tuple[Login, ...] = ()
    apt: tuple[Apt, ...] = ()


def parse_trail(lines: list[str]) -> Trail:
    """Reads the tab-separated lines of trail.sh."""
    rows: dict[str, list[list[str]]] = {}
    for line in lines:
        kind, *row = line.split("\t")
        rows.setdefault(kind, []).append(row)
    return Trail(
        paths={path: float(moment) for moment, path in rows.get("path", [])},
        units={unit: float(moment) for moment, unit in rows.get("unit", [])},
        sudo=tuple(
            Sudo(float(moment), user, "\t".join(line))
            for moment, user, *line in rows.get("sudo", [])
        ),
        logins=tuple(Login(float(row[0]), row[1], row[2]) for row in rows.get("login", [])),
        apt=tuple(
            Apt(float(moment), command, user, frozenset(packages.split()))
            for moment, command, user, packages in rows.get("apt", [])
        ),
    )


class TrailFact(FactBase[Trail]):
    """The `Trail` of these paths and units."""

    @reading
    def command(self, paths: list[str], units: list[str]) -> str:
        given = {"paths": paths, "units": units}
        variables = "".join(f"{key}={shlex.quote(chr(10).join(v))}\n" for key, v in given.items())
        return variables + READ_TRAIL

    @staticmethod
    def default() -> Trail:
        return Trail()

    def process(self, output: list[str]) -> Trail:
        return parse_trail(output)
