"""What is there and nobody declared."""

from __future__ import annotations

from stagecraft.drift.areas import Area

UNMANAGED: list[Area] = []
