"""The start and end of our programs: with three streams, and without a traceback if a package is
missing, output cannot be written, or the program is interrupted.

Uses only the standard library, because nothing else may be installed.
"""

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
    """A signal to terminate. Unlike a KeyboardInterrupt, gevent passes it on in silence."""


def ready_streams() -> None:
    """Opens streams that were closed with `>&-`: otherwise the next file or connection would become
    standard output. Escapes characters outside the terminal's encoding."""
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        if getattr(sys, name) is None:
            os.dup2(os.open(os.devnull, os.O_RDWR), number)
            os.set_inheritable(number, True)
            setattr(sys, name, open(number, mode, closefd=False))  # noqa: SIM115
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def start(module: str) -> NoReturn:
    """Loads the module and exits with the result of its `main`. During loading, Ctrl-C ends the
    process at once: importing code could swallow an exception."""
    _on(signal.SIGINT, signal.SIG_DFL)
    try:
        main = import_module(module).main
    except ImportError as error:
        sys.exit(
            f"Error: {error}: start this with .venv/bin/python, which `make .venv/complete` makes"
        )
    run(main)


def run(main: Callable[[], int]) -> NoReturn:
    """Exits with the result of `main`."""
    for number in ENDING:
        _on(number, _interrupt)
    try:
        code = main()
        sys.stdout.flush()
    except Interrupted:
        print("\nInterrupted", file=sys.stderr)
        raise
    except BrokenPipeError:  # from `| head`
        _forget_output()
        code = 128 + signal.SIGPIPE
    except OSError as error:
        _forget_output()
        sys.exit(f"Error: {error}")
    sys.exit(code)


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Delays interrupts until the end of what must not be left half done, like an import."""
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
    """The handler for Ctrl-C during pyinfra, whose own exits with 0, like a successful run."""
    print("\nInterrupted: the next run goes on where this one stopped.", file=sys.stderr)
    sys.exit(128 + signal.SIGINT)


def _on(number: signal.Signals, action: Callable[[int, FrameType | None], None] | int) -> None:
    """Keeps ignoring a signal that the parent ignores, as a shell does in the background."""
    if signal.getsignal(number) != signal.SIG_IGN:
        signal.signal(number, action)


def _interrupt(number: int, _: object) -> NoReturn:
    for ending in ENDING:
        signal.signal(ending, signal.SIG_IGN)  # cleanup must not be interrupted again
    raise Interrupted(128 + number)


def _forget_output() -> None:
    """Otherwise Python would try to write the output again, and fail."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
