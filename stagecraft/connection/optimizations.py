"""All optimizations that make a run fast."""

import os
from enum import Enum

from stagecraft.errors import CommandLineError

VARIABLE = "STAGECRAFT_FAST"
"""Names of optimizations, separated by commas; `no` for pyinfra's own connector. Default: all."""


class Optimization(Enum):
    """docs/performance.md says what each saves."""

    NODELAY = "nodelay"
    """Sets TCP_NODELAY, which paramiko does not: without it, the server's delayed acknowledgements
    cost 40 ms per command."""

    SHELL = "shell"
    """Uses one shell for all facts of a run until its first change: a separate channel costs each
    fact two more round trips."""

    PREFETCH = "prefetch"
    """Prefetches the facts that the last run read, all at once after connecting, so that the server
    works while this machine loads modules and renders."""

    ONCE = "once"
    """Computes once what pyinfra recomputes for each operation, fact and server; see
    stagecraft/faster_pyinfra.py."""


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
