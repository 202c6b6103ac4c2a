"""Facts whose commands only read, so that they can be prefetched and repeated."""

import functools
import inspect
import shlex
import sys
from base64 import b64decode
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

from pyinfra.api.facts import FactBase

T = TypeVar("T")


class Reading(str):
    """The shell command of `fact` with `arguments`. It changes nothing and reads no stdin."""

    fact: type[FactBase[Any]]
    arguments: dict[str, Any]


class Fact(FactBase[T]):
    """Its `process` also parses no output, which means that there is no answer. The command is a
    `Reading`, by default of the script next to the fact's module (`units.sh` for `units.py`).
    Arguments must be plain data: they are saved for the next run."""

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


def by_kind(lines: Iterable[str], separator: str = "\t") -> defaultdict[str, list[str]]:
    """What follows the first word of each line, by that word."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for line in lines:
        kind, _, rest = line.partition(separator)
        found[kind].append(rest)
    return found


def fields(lines: Iterable[str]) -> Iterator[list[str]]:
    """The tab-separated fields of each line."""
    return (line.split("\t") for line in lines)


def moments(lines: Iterable[str], separator: str = "\t") -> dict[str, float]:
    """Times in seconds since the epoch by name, from lines of a time and a name."""
    pairs = (line.split(separator, 1) for line in lines)
    return {name: float(moment) for moment, name in pairs}


def rows(output: Sequence[str], width: int) -> Iterator[tuple[str, ...]]:
    """Rows of `width` NUL-terminated fields, printed as base64 because pyinfra only reads lines of
    UTF-8. File names on a server may have any bytes but NUL, so no name can pass for another field;
    bytes that are not UTF-8 become surrogates."""
    text = b64decode("".join(output)).decode("utf-8", "surrogateescape")
    fields = iter(text.split("\0")[:-1])
    return zip(*[fields] * width, strict=True)
