"""A systemd unit's state, and whether its files changed since systemd last read them."""

import shlex
from dataclasses import dataclass
from datetime import UTC, datetime

from stagecraft.facts.reading import Fact, by_kind, moments


@dataclass(frozen=True)
class Unit:
    """A systemd unit. `outdated`: our unit files changed since systemd read them. `restart_due`:
    they changed since the unit started. `newer` is a watched file that changed since the unit last
    started or reloaded, else empty. `refreshed` is that start or reload, in seconds since the
    epoch. `unneeded`: its conditions kept it from starting, as those of a clock's unit in a
    container."""

    load: str = "not-found"
    active: str = "inactive"
    enabled: str = ""
    outdated: bool = False
    restart_due: bool = False
    newer: str = ""
    refreshed: float = 0.0
    unneeded: bool = False

    @property
    def running(self) -> bool:
        return self.active in ("active", "reloading")

    @property
    def masked(self) -> bool:
        return self.load == "masked"

    @property
    def at_rest(self) -> bool:
        """Whether it is stopped and does not start by itself; others start static units."""
        return self.active == "inactive" and (self.enabled == "static" or not self.starts_at_boot)

    @property
    def starts_at_boot(self) -> bool:
        return self.enabled in ("enabled", "static", "alias", "indirect", "generated")


def parse_timestamp(text: str) -> float:
    """Converts systemd's `Sat 2026-11-21 02:59:00.123456 UTC` to seconds since the epoch."""
    if not text or text == "n/a":
        return 0.0
    moment = datetime.strptime(text, "%a %Y-%m-%d %H:%M:%S.%f UTC")
    return moment.replace(tzinfo=UTC).timestamp()


def parse_unit(lines: list[str]) -> Unit:
    """Reads properties, and the newest change of each kind."""
    values = dict(line.split("=", 1) for line in lines if "=" in line and line[0].isupper())
    found = by_kind(lines, " ")
    unit_file, watched = newest_change(found["unit-file"]), newest_change(found["watched"])
    booted, reloaded, started, refreshed = (
        parse_timestamp(values.get(f"{moment}Timestamp", ""))
        for moment in ("UnitsLoadFinish", "UnitsLoad", "ActiveEnter", "StateChange")
    )
    if values.get("ReloadResult") not in ("success", None):
        refreshed = 0.0  # systemd counts a failed reload as a state change
    return Unit(
        load=values.get("LoadState", "not-found"),
        active=values.get("ActiveState", "inactive"),
        enabled=values.get("UnitFileState", ""),
        outdated=unit_file[0] > max(booted, reloaded),
        restart_due=unit_file[0] > started,
        newer=watched[1] if watched[0] > refreshed else "",
        refreshed=refreshed,
        unneeded=values.get("ConditionResult") == "no"
        and parse_timestamp(values.get("ConditionTimestamp", "")) > 0,
    )


def newest_change(lines: list[str]) -> tuple[float, str]:
    """Seconds since the epoch and path of the `<epoch> <path>` line; (0, "") without one."""
    return next(((moment, path) for path, moment in moments(lines, " ").items()), (0.0, ""))


class UnitFact(Fact[Unit]):
    """The state of `unit`, compared with the newest change below our unit files and below the
    watched paths. systemd's own NeedDaemonReload misses a unit's first drop-in directory (tried on
    252 and 257)."""

    def command(self, unit: str, unit_files: list[str], watched: list[str]) -> str:
        files = {"unit_files": shlex.join(unit_files), "watched": shlex.join(watched)}
        return self.script(unit=unit, **files)

    def process(self, output: list[str]) -> Unit:
        return parse_unit(output)
