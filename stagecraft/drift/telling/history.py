"""What past checks have seen: `drift.jsonl`, a line for each check of the last year. Every line
stands for itself: it says all that is known to differ, so that only the end of the file is read."""

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
"""Bytes read at once, from the end on."""

REMEMBERED = 100
"""Checks that a dead notifier may miss; then it is told everything anew."""

KEPT = timedelta(days=365)


class History:
    """The file, for as long as one check has it to itself. All methods raise OSError."""

    def __init__(self, file: FileIO, path: Path) -> None:
        self._file = file
        self._path = path

    def last(self) -> Snapshot | None:
        return next((snapshot for _, snapshot in snapshots(self._lines())), None)

    def last_told(self) -> Snapshot | None:
        """The last check whose changes have been told, if that is not too long ago."""
        recent = islice(snapshots(self._lines()), REMEMBERED)
        return next((snapshot for _, snapshot in recent if snapshot.told), None)

    def append(self, snapshot: Snapshot) -> None:
        """On disk when it returns, and then what is older than a year no longer is."""
        line = snapshot.model_dump_json().encode() + b"\n"
        limit = snapshot.at - KEPT
        if any(oldest.at < limit for oldest in self._oldest()):
            with self._path.open("rb") as file:
                kept = (line for line, known in snapshots(file) if known.at >= limit)
                self._replace([*kept, line])
        else:
            self._add(line)

    def _oldest(self) -> Iterator[Snapshot]:
        """The first one, if there is any; a device such as /dev/full has none."""
        if self._path.is_file():
            with self._path.open("rb") as file:
                yield from (snapshot for _, snapshot in islice(snapshots(file), 1))

    def _add(self, line: bytes) -> None:
        """A line that a crash has torn is ended before it."""
        end = self._file.seek(0, os.SEEK_END)
        torn = end > 0 and os.pread(self._file.fileno(), 1, end - 1) != b"\n"
        write(self._file, b"\n" + line if torn else line)

    def _replace(self, lines: Iterable[bytes]) -> None:
        """The file has these lines, or after a crash still those that it had."""
        new = self._path.with_name(f"{self._path.name}.new")
        with opened(new, os.O_WRONLY | os.O_TRUNC, "w") as file:
            write(file, b"".join(lines))
        new.replace(self._path)

    def _lines(self) -> Iterator[bytes]:
        """The whole lines from the last to the first, read no further than they are asked for."""
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
    """Each with its line; what is no line of ours is passed over."""
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
    """Made where it is not, for its owner alone."""
    return FileIO(os.open(path, flags | os.O_CREAT | os.O_CLOEXEC, 0o600), mode)


@contextmanager
def history(path: Path) -> Iterator[History]:
    """The history at `path`, which is made where it is not; a second check waits for its turn.
    Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path = path.resolve()
    with locked(path) as file:
        yield History(file, path)


def locked(path: Path) -> FileIO:
    """The file under that name, which another check may have replaced while this one waited."""
    while True:
        file = opened(path, os.O_RDWR | os.O_APPEND, "a+")
        fcntl.flock(file, fcntl.LOCK_EX)
        if os.path.samestat(os.fstat(file.fileno()), path.stat()):
            return file
        file.close()
