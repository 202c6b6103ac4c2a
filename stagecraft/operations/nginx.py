"""How nginx takes up changed files."""

from __future__ import annotations

import shlex
from pathlib import Path

RELOAD = (
    f"sh -c {shlex.quote(Path(__file__).with_name('reload_nginx.sh').read_text())} reload-nginx"
)
"""The command that reloads the unit which follows it, and returns when the change is served."""
