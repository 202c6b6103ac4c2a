"""Every process: which program it is of, and what keeps it running."""

import shlex
from dataclasses import dataclass
from pathlib import Path

from stagecraft.facts.reading import Fact, rows

READ_PROGRAMS = (Path(__file__).parent / "on_server/programs.py").read_text()


@dataclass(frozen=True)
class Program:
    """Processes alike in all of this. `kept_by` is `init`, a `unit`, a `login`, the `manager` of
    somebody who is logged in, a `container` on this machine, the `host` of this machine if that is
    a container, or empty for what its unit or login left behind. `origin` is the file of the unit,
    or the account that is logged in; `source` is empty for a program of no package. The first
    `pids`, all `count`ed, and the start of the oldest in seconds since the epoch."""

    kept_by: str
    unit: str
    origin: str
    user: str
    path: str
    source: str = ""
    since: float = 0
    count: int = 1
    pids: tuple[int, ...] = ()


class ProgramsFact(Fact[list[Program]]):
    def command(self) -> str:
        return f"python3 -I -c {shlex.quote(READ_PROGRAMS)}"

    def process(self, output: list[str]) -> list[Program]:
        return [
            Program(kept_by, unit, origin, user, path, source, float(since), int(n), numbers(pids))
            for kept_by, unit, origin, user, path, source, since, n, pids in rows(output, 9)
        ]


def numbers(words: str) -> tuple[int, ...]:
    return tuple(map(int, words.split()))
