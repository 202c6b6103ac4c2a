"""All optimizations that make a run fast."""

import os
from enum import Enum

from stagecraft.errors import CommandLineError

VARIABLE = "STAGECRAFT_FAST"
"""Names of optimizations, separated by commas; `no` for pyinfra's own connector. Default: all."""


class Optimization(Enum):
    """docs/performance.md says what each saves."""

    NODELAY = "nodelay"
    """Sets TCP_NODELAY, which paramiko does not: without it, each command takes 40 ms longer."""

    SHELL = "shell"
    """Reads all facts in one shell until the first change: a channel costs two more round trips."""

    PREFETCH = "prefetch"
    """Prefetches the facts that the last run read, all at once after connecting, so that the server
    works while this machine loads modules and renders."""

    ONCE = "once"
    """Computes once what pyinfra recomputes often; see stagecraft/faster_pyinfra.py."""


def optimizations() -> frozenset[Optimization]:
    """Raises CommandLineError for an unknown one."""
    said = os.environ.get(VARIABLE, "")
    if not said:
        return frozenset(Optimization)
    if said == "no":
        return frozenset()
    try:
        return frozenset(Optimization(name) for name in said.split(","))
    except ValueError as error:
        known = ", ".join(optimization.value for optimization in Optimization)
        raise CommandLineError(f"{VARIABLE}={said}: {error}; there are: no, {known}") from None
