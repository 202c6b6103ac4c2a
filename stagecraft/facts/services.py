"""What systemd says of a unit, and whether its files changed since it last read them."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from datetime import UTC, datetime

from pyinfra.api.facts import FactBase


@dataclass(frozen=True)
class Unit:
    """A systemd unit. `newer` is a watched file that changed after the unit last started or
    reloaded, empty when there is none."""

    load: str = "not-found"
    active: str = "inactive"
    enabled: str = ""
    outdated: bool = False
    newer: str = ""

    @property
    def running(self) -> bool:
        return self.active in ("active", "reloading")

    @property
    def starts_at_boot(self) -> bool:
        return self.enabled in ("enabled", "static", "alias", "indirect", "generated")


def parse_timestamp(text: str) -> float:
    """`Sat 2026-11-21 02:59:00.123456 UTC` (systemd's `us+utc`) → seconds since the epoch."""
    if not text or text == "n/a":
        return 0.0
    moment = datetime.strptime(text, "%a %Y-%m-%d %H:%M:%S.%f UTC")
    return moment.replace(tzinfo=UTC).timestamp()


def parse_unit(lines: list[str]) -> Unit:
    """Reads `systemctl show` lines followed by `change <epoch> <path>` for the newest file."""
    values = dict(line.split("=", 1) for line in lines if "=" in line and line[0].isupper())
    state_change = parse_timestamp(values.get("StateChangeTimestamp", ""))
    newer = ""
    for line in lines:
        if line.startswith("change "):
            _, changed, path = line.split(" ", 2)
            newer = path if float(changed) > state_change else ""
    return Unit(
        load=values.get("LoadState", "not-found"),
        active=values.get("ActiveState", "inactive"),
        enabled=values.get("UnitFileState", ""),
        outdated=values.get("NeedDaemonReload") == "yes",
        newer=newer,
    )


class UnitFact(FactBase[Unit]):
    """The state of `unit`, compared with the newest change (ctime: a rename keeps mtime) below
    the watched paths."""

    def command(self, unit: str, watched: list[str]) -> str:
        show = (
            "systemctl show --timestamp=us+utc --property="
            "LoadState,ActiveState,UnitFileState,NeedDaemonReload,StateChangeTimestamp"
            f" -- {shlex.quote(unit)}"
        )
        if not watched:
            return f"{show} 2>/dev/null; true"
        quoted = " ".join(shlex.quote(path) for path in watched)
        newest = (
            f"find -H {quoted} -printf 'change %C@ %p\\n' 2>/dev/null | sort -k2 -n | tail -n 1"
        )
        return f"{show} 2>/dev/null; {newest}; true"

    @staticmethod
    def default() -> Unit:
        return Unit()

    def process(self, output: list[str]) -> Unit:
        return parse_unit(output)
