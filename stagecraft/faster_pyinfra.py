"""Makes pyinfra manage its operations, facts and hosts faster, with the same results."""

import sys
from functools import cache
from importlib import import_module
from itertools import dropwhile
from traceback import walk_stack

from pyinfra.api.state import State
from pyinfra.api.util import PYINFRA_INSTALL_DIR

from stagecraft.connection.optimizations import Optimization, optimizations


def adopt() -> None:
    """Makes pyinfra compute once what stays the same in a run, and order operations by `order`."""
    if Optimization.ONCE not in optimizations():
        return
    remember("pyinfra.api.arguments", "get_type_hints")  # of the global arguments
    remember("pyinfra.api.connectors", "entry_points")
    # By module name, because the attribute `operation` of pyinfra.api is a decorator.
    vars(import_module("pyinfra.api.operation"))["get_operation_order_from_stack"] = order


def remember(module: str, function: str) -> None:
    names = vars(import_module(module))
    names[function] = cache(names[function])


def order(state: State) -> list[int]:
    """An operation's position: the number of its verb, then the lines that lead to it. pyinfra's
    own function searches the source of each one in all loaded modules."""
    calls = [(frame.f_code.co_filename, line) for frame, line in walk_stack(sys._getframe(1))]
    calls.reverse()
    if verb := state.current_deploy_filename:
        calls = list(dropwhile(lambda call: call[0] != verb, calls))
    lines = [line for file, line in calls if not file.startswith(PYINFRA_INSTALL_DIR)]
    return [state.current_op_file_number, *lines]
