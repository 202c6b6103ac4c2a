"""Logs that were cut, or that lead nowhere, as their files show it."""

from dataclasses import dataclass, field
from math import inf
from pathlib import PurePath

from stagecraft.facts.reading import Fact, rows


@dataclass(frozen=True)
class Journal:
    """Times in seconds since the epoch: its first entry, and when its directory was made; 0 if
    unknown. `size` is in MB; `full` is how much of its disk is used, in percent."""

    first: float = 0
    made: float = 0
    size: int = 0
    full: int = 100


@dataclass
class Logs:
    """`links` and `histories` have the target by path; `deleted` the unit that still writes, by
    path. `emptied` are files that were written to and have no content, with the time. `stopped` are
    services that keep logs and do not run."""

    links: dict[str, str] = field(default_factory=dict)
    histories: dict[str, str] = field(default_factory=dict)
    emptied: dict[str, float] = field(default_factory=dict)
    deleted: dict[str, str] = field(default_factory=dict)
    stopped: list[str] = field(default_factory=list)
    journal: Journal = Journal()


JUST_MADE = 5
"""In seconds: a file may be made and then written to by another program."""


class LogsFact(Fact[Logs]):
    def process(self, output: list[str]) -> Logs:
        logs, emptied, copied, since = Logs(), dict[str, tuple[float, float]](), set[str](), 0.0
        for kind, name, *values in rows(output, 5):
            match kind:
                case "link":
                    logs.links[name] = values[0]
                case "history":
                    logs.histories[name] = values[0]
                case "empty":
                    emptied[name] = (float(values[0]) or inf), float(values[1])
                case "copied":
                    copied.add(name)
                case "deleted":
                    logs.deleted[name] = values[0]
                case "since":
                    since = float(name or 0)
                case "service" if values == ["loaded", "inactive", "0"]:
                    logs.stopped.append(name)
                case "journal":
                    made, size, full = values
                    logs.journal = Journal(
                        float(name or 0), float(made or 0), int(size or 0), int(full or 100)
                    )
        for path, (born, written) in emptied.items():
            truncated_by_logrotate = any(PurePath(path).match(pattern) for pattern in copied)
            if written > max(born + JUST_MADE, since) and not truncated_by_logrotate:
                logs.emptied[path] = written
        return logs
