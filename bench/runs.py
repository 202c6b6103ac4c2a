"""Timed runs, and what they take."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path
from statistics import median

ROUNDS = 5


@dataclass(frozen=True)
class Taken:
    """What one run took: seconds by the clock, and the most memory it had, in MB; where it was
    counted, the server's CPU in seconds, and the MB that it sent and received."""

    seconds: float
    megabytes: float
    of_server: float = 0
    moved: float = 0


@dataclass(frozen=True)
class Figure:
    """The medians of several runs."""

    seconds: float
    megabytes: float
    of_server: float = 0
    moved: float = 0

    @classmethod
    def of(cls, runs: Sequence[Taken]) -> Figure:
        return cls(*map(median, zip(*map(astuple, runs), strict=True)))


def take(
    command: Sequence[str],
    cwd: Path,
    stdin: str = "",
    fine: Container[int] = (0,),
    **environment: str,
) -> Taken:
    """Runs the command to its end. Fails with its output when it ends with what is not fine."""
    # As on an operator's machine, where Python keeps what it compiled.
    kept = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    with tempfile.TemporaryFile("w+") as given, tempfile.TemporaryFile("w+") as said:
        given.write(stdin)
        given.seek(0)
        began = time.monotonic()
        process = subprocess.Popen(
            command, cwd=cwd, stdin=given, stdout=said, stderr=said, env=kept | environment
        )
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.monotonic() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode not in fine:
            said.seek(0)
            sys.exit(f"{' '.join(command)} ended with {process.returncode}:\n{said.read()}")
    return Taken(seconds, usage.ru_maxrss / 1024)


def in_turns(actions: Mapping[str, Callable[[], Taken]], rounds: int = ROUNDS) -> dict[str, Figure]:
    """Every action once a round, so that what else the machine does falls on all alike; and once
    before, uncounted, to have everything in caches."""
    taken: dict[str, list[Taken]] = {name: [] for name in actions}
    for count in range(rounds + 1):
        for name, action in actions.items():
            print(f"  {count}/{rounds} {name}", file=sys.stderr)
            one = action()
            if count:
                taken[name].append(one)
    return {name: Figure.of(runs) for name, runs in taken.items()}
