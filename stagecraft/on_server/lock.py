"""One action per site at a time, and none while a run of deploy.py changes the server."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from stagecraft.on_server.site import Failed, Site

SERVER = Path("/run/stagecraft")
"""Its `lock` is held by runs alone and by actions together. As with sites, `taking` makes it one
step to take the lock and to record its holder; who only asks is in nobody's way."""


@contextmanager
def lock(site: Site, holder: str, *, within_run: bool = False) -> Iterator[None]:
    """Held until the end of the block, or of the process. Raises Failed with the one who holds it.
    What a run of deploy.py starts itself does not wait for that run."""
    since = f"{holder} since {datetime.now(UTC):%Y-%m-%d %H:%M:%S UTC}"
    with _held(site.state, fcntl.LOCK_EX, since) as other:
        if other:
            raise Failed(f"{site.name} is busy: {other}")
        if within_run:
            yield
            return
        with _held(SERVER, fcntl.LOCK_SH, since) as other:
            if other:
                raise Failed(f"a run is changing this server: {other}; try again when it has ended")
            yield


@contextmanager
def asking(site: Site) -> Iterator[None]:
    """From the choice of what to do until it has begun, one at a time."""
    with _turn(site.state / "asking"):
        yield


@contextmanager
def sending(site: Site, holder: str) -> Iterator[None]:
    """One upload by CI at a time: more could fill the disk before any of them has ended. Raises
    Failed with the one who uploads."""
    since = f"{holder} since {datetime.now(UTC):%Y-%m-%d %H:%M:%S UTC}"
    with _held(site.state / "sending", fcntl.LOCK_EX, since) as other:
        if other:
            raise Failed(f"{site.name} is busy: release by {other}")
        yield


def busy(site: Site) -> str:
    """Who holds the site's lock; empty if nobody does."""
    with _turn(site.state / "taking"), _opened(site.state / "lock") as descriptor:
        return _take(descriptor, fcntl.LOCK_EX, None)


@contextmanager
def _held(directory: Path, kind: int, holder: str) -> Iterator[str]:
    """Gives the holder if it is held by another."""
    with _opened(directory / "lock") as descriptor:
        with _turn(directory / "taking"):
            other = _take(descriptor, kind, holder)
        yield other


@contextmanager
def _turn(path: Path) -> Iterator[None]:
    """Waits for the others, who are quick."""
    with _opened(path) as descriptor:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    descriptor = _open(path)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _open(path: Path) -> int:
    """Only root can: whoever can open a file, even to read it, can hold its lock."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def _take(descriptor: int, kind: int, holder: str | None) -> str:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return os.pread(descriptor, 1000, 0).decode(errors="replace").strip() or "somebody"
    if holder is not None:
        with suppress(OSError):  # a full disk: the lock is held all the same
            os.truncate(descriptor, 0)
            os.pwrite(descriptor, f"{holder}\n".encode(), 0)
    return ""
