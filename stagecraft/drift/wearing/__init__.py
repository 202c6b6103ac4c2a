"""What is going to fail by itself, unless somebody looks after it."""

from __future__ import annotations

from stagecraft.drift.areas import Area

WEARING: list[Area] = []
