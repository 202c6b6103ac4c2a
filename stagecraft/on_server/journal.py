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


def _parsed(line: str) -> dict[str, Any] | None:
    try:
        entry = json.loads(line)
    except ValueError:
        return None
    return entry if isinstance(entry, dict) and "id" in entry else None
