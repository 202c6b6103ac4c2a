"""How nginx takes up changed files."""

from __future__ import annotations

import shlex

from stagecraft.operations.scripts import script

RELOAD = f"sh -c {shlex.quote(script('reload_nginx'))} reload-nginx"
"""The command that reloads the unit which follows it, and returns when the change is served."""
