"""The results of past checks: `drift.jsonl`, a line for each check of the last year. Every line
contains all known differences, so that only the end of the file is read."""

import fcntl
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from errno import ENOSPC
from io import FileIO
from itertools import islice
from pathlib import Path

from pydantic import ValidationError

from stagecraft.drift.findings import Report
from stagecraft.drift.judging.changes import NOTHING, Snapshot, changes
from stagecraft.drift.judging.verdict import Verdict, judge
from stagecraft.drift.judging.waivers import Waivers
from stagecraft.drift.telling.notify import notify

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

    def recent(self) -> Iterator[Snapshot]:
        """From the last check backwards, as far as notifications are compared."""
        return islice((snapshot for _, snapshot in snapshots(self._lines())), REMEMBERED)

    def append(self, snapshot: Snapshot) -> None:
        """Written to disk on return; then drops checks older than a year."""
        line = snapshot.model_dump_json(by_alias=True).encode() + b"\n"
        limit = snapshot.at - KEPT
        if not self._path.is_file():  # a device such as /dev/full
            return self._add(line)
        with self._path.open("rb") as file:
            _, oldest = next(snapshots(file), (b"", snapshot))
            if oldest.at >= limit:
                return self._add(line)
            file.seek(0)
            kept = (line for line, known in snapshots(file) if known.at >= limit)
            return self._replace([*kept, line])

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


def conclude(reports: Sequence[Report], waivers: Waivers, path: Path, at: datetime) -> Verdict:
    """The verdict, saved in the history at `path` and sent; failures of that are in its
    `problems`."""
    try:
        with history(path) as past:
            verdict, now = judge(reports, waivers, next(past.recent(), NOTHING), at)
            notified = (snapshot for snapshot in past.recent() if snapshot.notified)
            problems = notify(changes(next(notified, NOTHING), now))
            try:
                past.append(now.model_copy(update={"notified": not problems}))
            except OSError as error:
                problems.append(f"this check will not be remembered: {error}")
    except OSError as error:
        verdict, now = judge(reports, waivers, NOTHING, at)
        without = f"every finding counts as new without a history: {error}"
        problems = [without, *notify(changes(NOTHING, now))]
    return verdict.model_copy(update={"problems": tuple(problems)})


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
    """Creates the file at `path` if missing; a second check waits for the first, and reopens the
    file if that has replaced it. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path = path.resolve()
    while True:
        with opened(path, os.O_RDWR | os.O_APPEND, "a+") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            if os.path.samestat(os.fstat(file.fileno()), path.stat()):
                yield History(file, path)
                return
