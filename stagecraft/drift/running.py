"""What runs and is not what is on disk."""

from __future__ import annotations

from stagecraft.drift.areas import Area

RUNNING: list[Area] = []
