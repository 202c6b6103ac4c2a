"""How our programs begin and end: with three streams, and without a traceback when a package is
missing, output cannot be written, or somebody interrupts them.

Standard library alone: it has to work where nothing is installed.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from io import TextIOWrapper
from types import FrameType
from typing import NoReturn

ENDING = (signal.SIGINT, signal.SIGTERM)


class Interrupted(SystemExit):
    """A signal came that asks for an end. Unlike a KeyboardInterrupt, gevent passes it on without
    printing where it came."""


def ready_streams() -> None:
    """Gives what was started with `>&-` somewhere to write: the next file or connection that is
    opened would be its standard output otherwise. What a terminal's encoding lacks is escaped."""
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        if getattr(sys, name) is None:
            os.dup2(os.open(os.devnull, os.O_RDWR), number)
            os.set_inheritable(number, True)
            setattr(sys, name, open(number, mode, closefd=False))  # noqa: SIM115
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def start(module: str) -> NoReturn:
    """Loads the module and ends with what its `main` returns.

    While it is loaded, Ctrl-C ends the process at once: raised as an exception within an import, it
    would come out as whatever the importing code makes of it.
    """
    _on(signal.SIGINT, signal.SIG_DFL)
    try:
        main = import_module(module).main
    except ImportError as error:
        sys.exit(
            f"Error: {error}: start this with .venv/bin/python, which `make .venv/complete` makes"
        )
    run(main)


def run(main: Callable[[], int]) -> NoReturn:
    """Ends the process with what `main` returns."""
    for number in ENDING:
        _on(number, _interrupt)
    try:
        code = main()
        sys.stdout.flush()
    except Interrupted:
        print("\nInterrupted", file=sys.stderr)
        raise
    except BrokenPipeError:  # as `| head` ends it
        _forget_output()
        code = 128 + signal.SIGPIPE
    except OSError as error:
        _forget_output()
        sys.exit(f"Error: {error}")
    sys.exit(code)


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Has an interrupt wait for the end of what must not be left half done, like an import."""
    came: list[int] = []
    handlers = {
        number: signal.signal(number, lambda number, _: came.append(number)) for number in ENDING
    }
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        if came:
            signal.raise_signal(came[0])


def end_interrupted(*_: object) -> NoReturn:
    """What Ctrl-C does to pyinfra, whose own handler ends with 0, as a run that went well."""
    print("\nInterrupted: the next run goes on where this one stopped.", file=sys.stderr)
    sys.exit(128 + signal.SIGINT)


def _on(number: signal.Signals, action: Callable[[int, FrameType | None], None] | int) -> None:
    """Unless whoever started this has it ignored, like a shell in the background."""
    if signal.getsignal(number) != signal.SIG_IGN:
        signal.signal(number, action)


def _interrupt(number: int, _: object) -> NoReturn:
    for ending in ENDING:
        signal.signal(ending, signal.SIG_IGN)  # one is enough: what was begun is being ended
    raise Interrupted(128 + number)


def _forget_output() -> None:
    """Python would try once more to write it, and complain."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
