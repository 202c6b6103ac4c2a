"""Programs of this machine that throwaway servers are made with, and the locks that they share."""

import fcntl
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class NspawnError(Exception):
    """A throwaway server cannot be created or used; the text says what would help."""


def run(*command: str, stdin: str | None = None) -> str:
    """Runs a command and returns its stdout; raises NspawnError with what it said if it fails. The
    command inherits the locks that are held: if its caller is killed, whoever comes next still
    waits until a tar or mmdebstrap that survived has ended."""
    return _run(command, stdin, inherit_locks=True)


def detach(*command: str) -> None:
    """Starts a command in a session of its own, without the locks, and does not wait for it."""
    _run(("setsid", "--fork", *command), None, inherit_locks=False)


def _run(command: tuple[str, ...], stdin: str | None, *, inherit_locks: bool) -> str:
    try:
        result = subprocess.run(
            command,
            check=False,
            input=stdin,
            capture_output=True,
            text=True,
            close_fds=not inherit_locks,
        )
    except FileNotFoundError:
        message = f"{command[0]} is not installed here: `make server` installs what is missing"
        raise NspawnError(message) from None
    if result.returncode:
        message = f"`{' '.join(command)}` ended with {result.returncode}: {result.stderr.strip()}"
        raise NspawnError(message)
    return result.stdout


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Holds the lock file (made if missing) exclusively; waits for whoever holds it. The kernel
    frees it when its holder dies, so that no killed run blocks the next."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        os.set_inheritable(file.fileno(), True)
        yield
