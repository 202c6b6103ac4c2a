"""Facts, whose commands only read: each may be asked early, or twice."""

from __future__ import annotations

import functools
import inspect
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from pyinfra.api.facts import FactBase

T = TypeVar("T")


class Reading(str):
    """The shell command of `fact` with `arguments`. It changes nothing and reads no stdin."""

    fact: type[FactBase[Any]]
    arguments: dict[str, Any]


class Fact(FactBase[T]):
    """What `parse` reads in the output of `command`, or in none where there is no answer.

    The command is a `Reading`, by default of the script beside the fact's module (`units.sh` of
    `units.py`). Its arguments must be plain data: they are remembered for the next run.
    """

    parse: Callable[[list[str]], T]

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        cls.command = reading(getattr(cls, "command", Fact.script))

    def script(self, **given: str) -> str:
        """The script beside the fact's module, after the values of its variables."""
        path = Path(str(sys.modules[self.__module__].__file__)).with_suffix(".sh")
        values = (f"{name}={shlex.quote(value)}\n" for name, value in given.items())
        return "".join(values) + path.read_text()

    @classmethod
    def default(cls) -> T:
        return cls().process([])

    def process(self, output: list[str]) -> T:
        return self.parse(output)


def reading(command: Callable[..., Any]) -> Callable[..., Reading]:
    """A fact's method that returns its command as a `Reading`."""
    signature = inspect.signature(command)

    @functools.wraps(command)
    def marked(self: FactBase[Any], *args: Any, **kwargs: Any) -> Reading:
        text = Reading(command(self, *args, **kwargs))
        bound = dict(signature.bind(self, *args, **kwargs).arguments)
        bound.pop("self")
        text.fact, text.arguments = type(self), bound
        return text

    # pyinfra asks getfullargspec(), which takes a wrapper's own signature unless told otherwise.
    marked.__signature__ = signature  # type: ignore[attr-defined]
    return marked
