"""The site's journal: one line per action, never changed."""

import json
import os
from pathlib import Path
from typing import Any, BinaryIO

from stagecraft.on_server.site import Site


def path_of(site: Site) -> Path:
    return site.logs / "journal.jsonl"


def append(site: Site, entry: dict[str, Any]) -> None:
    site.logs.mkdir(parents=True, exist_ok=True, mode=0o750)
    with path_of(site).open("a+b") as file:
        torn = file.tell() and not _ends_a_line(file)
        file.write(b"\n" * bool(torn) + json.dumps(entry).encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())


def _ends_a_line(file: BinaryIO) -> bool:
    file.seek(-1, os.SEEK_END)
    return file.read(1) == b"\n"


def entries(site: Site) -> list[dict[str, Any]]:
    """The oldest first. A line that a power cut has cut short is left out."""
    try:
        lines = path_of(site).read_text(errors="replace").splitlines()
    except FileNotFoundError:
        return []
    return [entry for line in lines if (entry := _parsed(line))]


def outcome(site: Site, id: str) -> str | None:
    """None before the action's end."""
    return next((entry["outcome"] for entry in reversed(entries(site)) if entry["id"] == id), None)


class Newest:
    """The end of the journal, and each time what has been added to it since."""

    def __init__(self, site: Site) -> None:
        self._path = path_of(site)
        self._read = max(0, self._size() - ENOUGH)
        self._outcomes: dict[str, str | None] = {}

    def outcome(self, id: str) -> str | None:
        """None before the action's end."""
        if self._size() > self._read:
            with self._path.open("rb") as file:
                file.seek(self._read)
                whole, end, _ = file.read().rpartition(b"\n")
            self._read += len(whole + end)
            lines = whole.decode(errors="replace").splitlines()
            parsed = filter(None, map(_parsed, lines))
            self._outcomes |= {entry["id"]: entry.get("outcome") for entry in parsed}
        return self._outcomes.get(id)

    def _size(self) -> int:
        try:
            return self._path.stat().st_size
        except FileNotFoundError:
            return 0


ENOUGH = 65536
"""Bytes of the journal's end that have an action which ended a moment ago."""


def _parsed(line: str) -> dict[str, Any] | None:
    try:
        entry = json.loads(line)
    except ValueError:
        return None
    return entry if isinstance(entry, dict) and "id" in entry else None
