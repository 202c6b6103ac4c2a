"""All optimizations that make a run fast."""

from __future__ import annotations

import os
from enum import Enum

from stagecraft.errors import CommandLineError

VARIABLE = "STAGECRAFT_FAST"
"""The optimizations to use, separated by commas; `no` for pyinfra's own connector; default: all."""


class Lever(Enum):
    """docs/performance.md says what each saves."""

    NODELAY = "nodelay"
    """TCP_NODELAY, which paramiko does not set: without it, the server's delayed acknowledgements
    delay every command by 40 ms."""

    SHELL = "shell"
    """One shell for all facts of a run, until the run changes something: a separate channel costs
    each fact two more round trips."""

    FORESIGHT = "foresight"
    """Prefetches the facts that the last run read, all at once as soon as the connection is open,
    so that the server works while this machine still loads and renders."""


def levers() -> frozenset[Lever]:
    """The optimizations in use. Raises CommandLineError for an unknown one."""
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
