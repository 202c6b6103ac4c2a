"""Progress of the checks, only on a terminal."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path

ERASE = "\r\033[K"


class Progress:
    """A line on standard error that is removed when the `with` ends."""

    def __init__(self) -> None:
        self._begun = time.monotonic()
        self._shown = ""

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        self._write("")

    def show(self, inventories: Sequence[Path]) -> None:
        names = ", ".join(inventory.stem for inventory in inventories)
        self._write(f"Checking {names}, {time.monotonic() - self._begun:.0f} s")

    def _write(self, text: str) -> None:
        if text != self._shown and sys.stderr.isatty():
            sys.stderr.write(ERASE + text)
            sys.stderr.flush()
            self._shown = text
