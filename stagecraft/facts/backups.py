"""How old the newest backups are."""

from __future__ import annotations

import shlex
from collections.abc import Mapping

from pyinfra.api.facts import FactBase

from stagecraft.facts.reading import reading


class BackupsFact(FactBase[dict[str, float]]):
    """When the newest file at or below each path was written, in seconds since the epoch; empty
    files are no backups. `minutes` says of each path how old the newest may be: of a directory with
    a newer one not everything is looked at."""

    @reading
    def command(self, minutes: Mapping[str, int]) -> str:
        return "\n".join(newest(path, age) for path, age in minutes.items()) + "\ntrue"

    @staticmethod
    def default() -> dict[str, float]:
        return {}

    def process(self, output: list[str]) -> dict[str, float]:
        return parse_backups(output)


def newest(path: str, minutes: int) -> str:
    """The command that prints the moment, a space and the path; nothing without a file."""
    quoted = shlex.quote(path)
    find = f"find -L {quoted} -type f -size +0"
    moment = "-printf '%T@\\n'"
    return (
        f"moment=$({find} -mmin -{minutes} {moment} -quit 2>/dev/null);"
        f' [ -n "$moment" ] || moment=$({find} {moment} 2>/dev/null | sort -n | tail -n 1);'
        f' [ -z "$moment" ] || echo "$moment" {quoted}'
    )


def parse_backups(lines: list[str]) -> dict[str, float]:
    """Reads the lines of `BackupsFact.command`."""
    pairs = (line.split(" ", 1) for line in lines)
    return {path: float(moment) for moment, path in pairs}
