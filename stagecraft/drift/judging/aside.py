"""How what stands in the place of something else gets out of the way."""

from __future__ import annotations

import shlex

from stagecraft.facts.files import becoming


def set_aside(path: str, user: str = "root") -> str:
    """The command that moves it, with all that is in it, to where no service loads it. `user` is
    who may write there: a site's can keep it only beside the path, and loads nothing from there."""
    aside = "/root/found" if user == "root" else f"{path}.found"
    moved = f'mv {shlex.quote(path)} "$(mktemp -d {shlex.quote(aside)}.XXXXXX)"'
    return moved if user == "root" else shlex.join([*becoming(user), "sh", "-c", moved])
