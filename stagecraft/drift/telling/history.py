"""The results of past checks: `drift.jsonl`, a line for each check of the last year. Every line
contains all known differences, so that only the end of the file is read."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from errno import ENOSPC
from io import FileIO
from itertools import islice
from pathlib import Path

from pydantic import ValidationError

from stagecraft.drift.judging.changes import Snapshot

BLOCK = 65536
"""Bytes to read at once, from the end."""

REMEMBERED = 100
"""The number of checks without notifications after which everything is sent as new."""

KEPT = timedelta(days=365)


class History:
    """The file, locked by one check. All methods raise OSError."""

    def __init__(self, file: FileIO, path: Path) -> None:
        self._file = file
        self._path = path

    def last(self) -> Snapshot | None:
        return next((snapshot for _, snapshot in snapshots(self._lines())), None)

    def last_told(self) -> Snapshot | None:
        """The last check whose changes were sent, if it is recent enough."""
        recent = islice(snapshots(self._lines()), REMEMBERED)
        return next((snapshot for _, snapshot in recent if snapshot.told), None)

    def append(self, snapshot: Snapshot) -> None:
        """Written to disk on return; then drops checks older than a year."""
        line = snapshot.model_dump_json().encode() + b"\n"
        limit = snapshot.at - KEPT
        if any(oldest.at < limit for oldest in self._oldest()):
            with self._path.open("rb") as file:
                kept = (line for line, known in snapshots(file) if known.at >= limit)
                self._replace([*kept, line])
        else:
            self._add(line)

    def _oldest(self) -> Iterator[Snapshot]:
        """The first one, if any; a device such as /dev/full has none."""
        if self._path.is_file():
            with self._path.open("rb") as file:
                yield from (snapshot for _, snapshot in islice(snapshots(file), 1))

    def _add(self, line: bytes) -> None:
        """First ends a line that a crash has truncated."""
        end = self._file.seek(0, os.SEEK_END)
        torn = end > 0 and os.pread(self._file.fileno(), 1, end - 1) != b"\n"
        write(self._file, b"\n" + line if torn else line)

    def _replace(self, lines: Iterable[bytes]) -> None:
        """After a crash, the file has either these lines or the old ones."""
        new = self._path.with_name(f"{self._path.name}.new")
        with opened(new, os.O_WRONLY | os.O_TRUNC, "w") as file:
            write(file, b"".join(lines))
        new.replace(self._path)

    def _lines(self) -> Iterator[bytes]:
        """The complete lines from last to first, read on demand."""
        start = self._file.seek(0, os.SEEK_END)
        rest = b""
        while start > 0:
            size = min(BLOCK, start)
            start -= size
            rest = os.pread(self._file.fileno(), size, start) + rest
            first, *lines = rest.split(b"\n")
            yield from (line for line in reversed(lines) if line)
            rest = first
        yield rest


def snapshots(lines: Iterable[bytes]) -> Iterator[tuple[bytes, Snapshot]]:
    """Pairs with the original line; skips invalid lines."""
    for line in lines:
        try:
            snapshot = Snapshot.model_validate_json(line)
        except ValidationError:
            continue
        yield line, snapshot


def write(file: FileIO, text: bytes) -> None:
    if file.write(text) < len(text):
        raise OSError(ENOSPC, os.strerror(ENOSPC), file.name)
    os.fsync(file.fileno())


def opened(path: Path, flags: int, mode: str) -> FileIO:
    """Creates the file if missing, with access for its owner only."""
    return FileIO(os.open(path, flags | os.O_CREAT | os.O_CLOEXEC, 0o600), mode)


@contextmanager
def history(path: Path) -> Iterator[History]:
    """Creates the file at `path` if missing; a second check waits for the first. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path = path.resolve()
    with locked(path) as file:
        yield History(file, path)


def locked(path: Path) -> FileIO:
    """Reopens the file if another check replaced it while this one waited."""
    while True:
        file = opened(path, os.O_RDWR | os.O_APPEND, "a+")
        fcntl.flock(file, fcntl.LOCK_EX)
        if os.path.samestat(os.fstat(file.fileno()), path.stat()):
            return file
        file.close()
