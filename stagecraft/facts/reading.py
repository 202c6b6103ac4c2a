"""Facts whose commands only read, so that they can be prefetched and repeated."""

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
    """Parses the output of `command`, which is empty if there is no answer.

    The command is a `Reading`, by default of the script next to the fact's module (`units.sh` for
    `units.py`). Arguments must be plain data: they are saved for the next run.
    """

    parse: Callable[[list[str]], T]

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        cls.command = reading(getattr(cls, "command", Fact.script))

    def script(self, **given: str) -> str:
        """The script next to the fact's module, after assignments of its variables."""
        path = Path(str(sys.modules[self.__module__].__file__)).with_suffix(".sh")
        values = (f"{name}={shlex.quote(value)}\n" for name, value in given.items())
        return "".join(values) + path.read_text()

    @classmethod
    def default(cls) -> T:
        return cls().process([])

    def process(self, output: list[str]) -> T:
        return self.parse(output)


def reading(command: Callable[..., Any]) -> Callable[..., Reading]:
    """Decorates a fact's method to return its command as a `Reading`."""
    signature = inspect.signature(command)

    @functools.wraps(command)
    def marked(self: FactBase[Any], *args: Any, **kwargs: Any) -> Reading:
        text = Reading(command(self, *args, **kwargs))
        bound = dict(signature.bind(self, *args, **kwargs).arguments)
        bound.pop("self")
        text.fact, text.arguments = type(self), bound
        return text

    # pyinfra calls getfullargspec(), which would see the wrapper's signature.
    marked.__signature__ = signature  # type: ignore[attr-defined]
    return marked
