"""One action per site at a time, and none while a run of deploy.py changes the server."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from stagecraft.on_server.site import Failed, Site

SERVER = Path("/run/stagecraft")
"""Its `lock` is held by runs alone and by actions together; `taking` makes taking it and recording
its holder one step."""


@contextmanager
def lock(site: Site, holder: str, *, within_run: bool = False) -> Iterator[None]:
    """Held until the end of the block, or of the process. Raises Failed with the one who holds it.
    What a run of deploy.py starts itself does not wait for that run."""
    since = f"{holder} since {datetime.now(UTC):%Y-%m-%d %H:%M:%S UTC}"
    with _locked(site.state / "lock", fcntl.LOCK_EX, since) as other:
        if other:
            raise Failed(f"{site.name} is busy: {other}")
        if within_run:
            yield
            return
        with _locked(SERVER / "taking", fcntl.LOCK_EX, None, wait=True):
            server = _open(SERVER / "lock")
            other = _take(server, fcntl.LOCK_SH, since)
        try:
            if other:
                raise Failed(f"a run is changing this server: {other}; try again when it has ended")
            yield
        finally:
            os.close(server)


@contextmanager
def asking(site: Site) -> Iterator[None]:
    """From the choice of what to do until it has begun, one at a time."""
    with _locked(site.state / "asking", fcntl.LOCK_EX, None, wait=True):
        yield


def busy(site: Site) -> str:
    """Who holds the site's lock; empty if nobody does."""
    with _locked(site.state / "lock", fcntl.LOCK_EX, None) as other:
        return other


@contextmanager
def _locked(path: Path, kind: int, holder: str | None, *, wait: bool = False) -> Iterator[str]:
    """Gives the holder if it is held by another."""
    descriptor = _open(path)
    try:
        yield _take(descriptor, kind, holder, wait=wait)
    finally:
        os.close(descriptor)


def _open(path: Path) -> int:
    """Only root can: whoever can open a file, even to read it, can hold its lock."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def _take(descriptor: int, kind: int, holder: str | None, *, wait: bool = False) -> str:
    try:
        fcntl.flock(descriptor, kind if wait else kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return os.pread(descriptor, 1000, 0).decode(errors="replace").strip() or "somebody"
    if holder is not None:
        with suppress(OSError):  # a full disk: the lock is held all the same
            os.truncate(descriptor, 0)
            os.pwrite(descriptor, f"{holder}\n".encode(), 0)
    return ""
