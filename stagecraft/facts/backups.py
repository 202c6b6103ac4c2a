"""How old the newest backups are."""

from __future__ import annotations

import shlex
from collections.abc import Mapping

from stagecraft.facts.reading import Fact


class BackupsFact(Fact[dict[str, float]]):
    """When the newest file at or below each path was written, in seconds since the epoch; empty
    files are no backups. `minutes` says of each path how old the newest may be: of a directory with
    a newer one not everything is looked at."""

    def command(self, minutes: Mapping[str, int]) -> str:
        return "\n".join(newest(path, age) for path, age in minutes.items()) + "\ntrue"

    def process(self, output: list[str]) -> dict[str, float]:
        return parse_backups(output)


def newest(path: str, minutes: int) -> str:
    """The command that prints the moment, a space and the path; nothing without a file. A file is
    no newer than its last change of any kind: its own time may be set, to next year for one."""
    quoted = shlex.quote(path)
    find = f"find -L {quoted} -type f -size +0"
    moments = "-printf '%T@ %C@\\n'"
    written = "awk '{ print ($1 < $2 ? $1 : $2) }'"
    recent = f"-mmin -{minutes} -cmin -{minutes}"
    return (
        f"moment=$({find} {recent} {moments} -quit 2>/dev/null | {written});"
        f' [ -n "$moment" ] ||'
        f" moment=$({find} {moments} 2>/dev/null | {written} | sort -n | tail -n 1);"
        f' [ -z "$moment" ] || echo "$moment" {quoted}'
    )


def parse_backups(lines: list[str]) -> dict[str, float]:
    """Reads the lines of `BackupsFact.command`."""
    pairs = (line.split(" ", 1) for line in lines)
    return {path: float(moment) for moment, path in pairs}
