"""What marks a fact's command as one that only reads, so that it may be asked early or twice."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

from pyinfra.api.facts import FactBase

P = ParamSpec("P")
Fact = TypeVar("Fact", bound=FactBase[Any])


class Reading(str):
    """The shell command of `fact` with `arguments`. It changes nothing and reads no stdin."""

    fact: type[FactBase[Any]]
    arguments: dict[str, Any]


def reading(
    command: Callable[Concatenate[Fact, P], str],
) -> Callable[Concatenate[Fact, P], Reading]:
    """Marks what a fact's `command` returns as a `Reading`. The arguments must be plain data: they
    are remembered for the next run."""
    signature = inspect.signature(command)

    @functools.wraps(command)
    def marked(self: Fact, *args: P.args, **kwargs: P.kwargs) -> Reading:
        text = Reading(command(self, *args, **kwargs))
        bound = dict(signature.bind(self, *args, **kwargs).arguments)
        bound.pop("self")
        text.fact, text.arguments = type(self), bound
        return text

    # pyinfra asks getfullargspec(), which takes a wrapper's own signature unless told otherwise.
    marked.__signature__ = signature  # type: ignore[attr-defined]
    return cast(Callable[Concatenate[Fact, P], Reading], marked)
