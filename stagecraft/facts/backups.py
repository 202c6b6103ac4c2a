"""The age of the newest backups."""

import shlex
from collections.abc import Mapping

from stagecraft.facts.reading import Fact


class BackupsFact(Fact[dict[str, float]]):
    """The time of the newest non-empty file at or below each path, in seconds since the epoch.
    `minutes` is the maximum age by path: once a newer file is found, the search in a directory
    ends."""

    def command(self, minutes: Mapping[str, int]) -> str:
        return "\n".join(newest(path, age) for path, age in minutes.items()) + "\ntrue"

    def process(self, output: list[str]) -> dict[str, float]:
        return parse_backups(output)


def newest(path: str, minutes: int) -> str:
    """The command that prints the time, a space and the path; nothing if there is no file. Takes
    the earlier of mtime and ctime, because mtime can be set to the future."""
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
    pairs = (line.split(" ", 1) for line in lines)
    return {path: float(moment) for moment, path in pairs}
