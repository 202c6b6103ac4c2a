"""pyinfra and stagecraft with their modules loaded already: each run is a fork. Loading them takes
more than half of the time of a run that finds little to do.

A process of its own, because pyinfra replaces parts of Python's library when it is loaded.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock


@dataclass(frozen=True)
class Command:
    """A program of ours, `pyinfra` or `stagecraft`, and its words. `timeout` is in seconds."""

    program: str
    words: Sequence[str]
    directory: str
    environment: Mapping[str, str]
    timeout: int
    stdout: str = ""
    stderr: str = ""


class Preloaded:
    """Runs one command after the other. `prefix` are the words of a program that starts another."""

    def __init__(self, prefix: Sequence[str] = ()) -> None:
        self._prefix = prefix
        self._process: subprocess.Popen[str] | None = None
        self._one_at_a_time = Lock()

    def run(self, **command: object) -> tuple[int, str, str]:
        """Exit code, stdout and stderr of a Command. Raises TimeoutError when it was ended."""
        with self._one_at_a_time, TemporaryDirectory() as output:
            stdout, stderr = Path(output, "stdout"), Path(output, "stderr")
            code = self._ask(Command(**command, stdout=str(stdout), stderr=str(stderr)))  # type: ignore[arg-type]
            said = stdout.read_text(), stderr.read_text()
        if code == -signal.SIGALRM:
            raise TimeoutError(f"{command['program']} took too long: {said}")
        return code, *said

    def _ask(self, command: Command) -> int:
        self._process = self._process or subprocess.Popen(
            [*self._prefix, sys.executable, __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdin and self._process.stdout
        print(json.dumps(asdict(command)), file=self._process.stdin, flush=True)
        return int(self._process.stdout.readline())


# --- In the process of its own, which ends with its stdin ---


def serve() -> None:
    from gevent import monkey  # type: ignore[import-untyped]
    from pyinfra_cli.main import main as pyinfra  # type: ignore[import-untyped]

    from stagecraft import faster_pyinfra, inventory  # noqa: F401
    from stagecraft.__main__ import main as stagecraft
    from stagecraft.connection import ssh  # noqa: F401
    from stagecraft.release import command as release  # noqa: F401

    fork, waitpid = monkey.get_original("os", ["fork", "waitpid"])
    for line in sys.stdin:
        if run := fork():
            print(os.waitstatus_to_exitcode(waitpid(run, 0)[1]), flush=True)
        else:
            command = Command(**json.loads(line))
            become(command)
            {"pyinfra": pyinfra, "stagecraft": stagecraft}[command.program]()


def become(command: Command) -> None:
    """This process as a shell would start it."""
    signal.alarm(command.timeout)
    os.setsid()
    for number, path in enumerate((os.devnull, command.stdout, command.stderr)):
        os.dup2(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), number)
    os.chdir(command.directory)
    os.environ.clear()
    os.environ.update(command.environment)
    sys.argv = [command.program, *command.words]


if __name__ == "__main__":
    serve()
