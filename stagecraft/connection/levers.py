"""The levers that make a run fast, all of them."""

from __future__ import annotations

import os
from enum import Enum

from stagecraft.errors import CommandLineError

VARIABLE = "STAGECRAFT_FAST"
"""The levers to use, with commas between them; `no` for pyinfra's own connector; unset for all."""


class Lever(Enum):
    """What each saves stands in docs/performance.md."""

    NODELAY = "nodelay"
    """TCP_NODELAY, which paramiko does not set: with the server's delayed acknowledgements every
    command waits 40 ms without it."""

    SHELL = "shell"
    """One shell for all facts of a run, until the run changes something: a channel of its own
    costs each of them two more round trips."""

    FORESIGHT = "foresight"
    """The facts that the last run asked for are asked all at once as soon as the connection
    stands, and the server answers while this machine still thinks."""


def levers() -> frozenset[Lever]:
    """The levers in use. Raises CommandLineError for one that does not exist."""
    said = os.environ.get(VARIABLE, "")
    if not said:
        return frozenset(Lever)
    if said == "no":
        return frozenset()
    try:
        return frozenset(Lever(name) for name in said.split(","))
    except ValueError as error:
        known = ", ".join(lever.value for lever in Lever)
        raise CommandLineError(f"{VARIABLE}={said}: {error}; there are: no, {known}") from None
