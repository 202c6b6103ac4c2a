"""Our version. Servers record it, so that an older version does not undo what it does not know."""

import re
from collections.abc import Mapping
from importlib.metadata import version

from stagecraft.errors import ServerError

OURS = version("stagecraft")


def refuse_newer(noted: Mapping[str, str], server: str) -> None:
    """Raises ServerError if a newer version has run here for any environment; `noted` has the
    version of each one's last run."""
    for environment, theirs in noted.items():
        if number(theirs) > number(OURS):
            raise ServerError(
                f"{server}: Stagecraft {theirs} has run here, for {environment}, and this is"
                f" {OURS}: merge that version, then make settings (docs/team.md)"
            )


def number(version: str) -> list[int]:
    return [int(part) for part in re.findall(r"\d+", version)]
