"""pyinfra's bookkeeping of operations, facts and hosts, at less cost and with the same results."""

from __future__ import annotations

import sys
from functools import cache
from importlib import import_module
from itertools import dropwhile
from traceback import walk_stack

from pyinfra.api.state import State
from pyinfra.api.util import PYINFRA_INSTALL_DIR

from stagecraft.connection.optimizations import Optimization, optimizations


def adopt() -> None:
    """Has pyinfra compute once what stays the same for a whole run, and order operations as
    `order` does."""
    if Optimization.ONCE not in optimizations():
        return
    remember("pyinfra.api.arguments", "get_type_hints")  # of the global arguments
    remember("pyinfra.api.connectors", "entry_points")
    # By name: as an attribute of pyinfra.api, `operation` is that module's decorator.
    vars(import_module("pyinfra.api.operation"))["get_operation_order_from_stack"] = order


def remember(module: str, function: str) -> None:
    names = vars(import_module(module))
    names[function] = cache(names[function])


def order(state: State) -> list[int]:
    """Where an operation stands among all of them: the number of its verb, then the lines that lead
    to it. pyinfra's own function searches all loaded modules for the source of each of them."""
    calls = [(frame.f_code.co_filename, line) for frame, line in walk_stack(sys._getframe(1))]
    calls.reverse()
    if verb := state.current_deploy_filename:
        calls = list(dropwhile(lambda call: call[0] != verb, calls))
    lines = [line for file, line in calls if not file.startswith(PYINFRA_INSTALL_DIR)]
    return [state.current_op_file_number, *lines]
