"""Commands that several findings have in common."""

from __future__ import annotations

import shlex

from stagecraft.facts.files import becoming


def run(environment: str) -> str:
    """From the checkout."""
    return f"pyinfra inventories/{environment}.py deploy.py"


def set_aside(path: str, user: str = "root") -> str:
    """Moves what stands in the place of something else, with all that is in it, to where no service
    loads it. `user` is who may write there: a site's can keep it only beside the path, and loads
    nothing from there."""
    aside = "/root/found" if user == "root" else f"{path}.found"
    moved = f'mv {shlex.quote(path)} "$(mktemp -d {shlex.quote(aside)}.XXXXXX)"'
    return moved if user == "root" else shlex.join([*becoming(user), "sh", "-c", moved])


def shortened(names: list[str], count: int) -> str:
    """The first of them, and how many more there are."""
    more = f" and {len(names) - count} more" if len(names) > count else ""
    return ", ".join(names[:count]) + more
