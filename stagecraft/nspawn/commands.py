"""Programs of this machine that throwaway servers are made with."""

import subprocess

from stagecraft.nspawn.errors import NspawnError


def run(*command: str, stdin: str | None = None) -> str:
    """Runs a command and returns its stdout; raises NspawnError with what it said if it fails.

    The command inherits the locks that are held: if its caller is killed, whoever comes next
    still waits until a tar or mmdebstrap that survived has ended.
    """
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
        raise NspawnError(
            f"{command[0]} is not installed here: `make server` installs what is missing"
        ) from None
    if result.returncode:
        raise NspawnError(
            f"`{' '.join(command)}` ended with {result.returncode}: {result.stderr.strip()}"
        )
    return result.stdout
