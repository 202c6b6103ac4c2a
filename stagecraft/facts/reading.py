"""Facts, and what marks a command as one that only reads: it may be asked early or twice."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

from pyinfra.api.facts import FactBase

P = ParamSpec("P")
T = TypeVar("T")
F = TypeVar("F", bound=FactBase[Any])


class Fact(FactBase[T]):
    """What `parse` reads in the output of `command`; where there is none, what it makes of that."""

    parse: Callable[[list[str]], T]

    @classmethod
    def default(cls) -> T:
        return cls().process([])

    def process(self, output: list[str]) -> T:
        return self.parse(output)


class Reading(str):
    """The shell command of `fact` with `arguments`. It changes nothing and reads no stdin."""

    fact: type[FactBase[Any]]
    arguments: dict[str, Any]


def reading(
    command: Callable[Concatenate[F, P], str],
) -> Callable[Concatenate[F, P], Reading]:
    """Marks what a fact's `command` returns as a `Reading`. The arguments must be plain data: they
    are remembered for the next run."""
    signature = inspect.signature(command)

    @functools.wraps(command)
    def marked(self: F, *args: P.args, **kwargs: P.kwargs) -> Reading:
        text = Reading(command(self, *args, **kwargs))
        bound = dict(signature.bind(self, *args, **kwargs).arguments)
        bound.pop("self")
        text.fact, text.arguments = type(self), bound
        return text

    # pyinfra asks getfullargspec(), which takes a wrapper's own signature unless told otherwise.
    marked.__signature__ = signature  # type: ignore[attr-defined]
    return cast(Callable[Concatenate[F, P], Reading], marked)
