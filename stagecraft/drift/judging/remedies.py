"""Commands shared by several findings."""

import shlex

from stagecraft.facts.files import becoming


def run(environment: str) -> str:
    """To be run in the checkout."""
    return f"pyinfra inventories/{environment}.py deploy.py"


def set_aside(path: str, user: str = "root") -> str:
    """Moves what blocks a path to where no service loads it. `user` is who can write there: a
    site's user can keep it only next to the path, and loads nothing from there."""
    aside = "/root/found" if user == "root" else f"{path}.found"
    moved = f'mv {shlex.quote(path)} "$(mktemp -d {shlex.quote(aside)}.XXXXXX)"'
    return moved if user == "root" else shlex.join([*becoming(user), "sh", "-c", moved])


def shortened(names: list[str], count: int) -> str:
    """The first of them, and the number of the others."""
    more = f" and {len(names) - count} more" if len(names) > count else ""
    return ", ".join(names[:count]) + more
