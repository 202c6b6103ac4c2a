"""Why a run would not begin on a server, which a plan that nobody executes is made in spite of."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from stagecraft.errors import ServerError

_put_off: ContextVar[list[ServerError] | None] = ContextVar("put_off", default=None)


@contextmanager
def put_off() -> Iterator[list[ServerError]]:
    """For such a plan: lists the refusals, and goes on."""
    refusals: list[ServerError] = []
    token = _put_off.set(refusals)
    try:
        yield refusals
    finally:
        _put_off.reset(token)


def refuse(refusal: ServerError) -> None:
    """Raises it, unless refusals are put off."""
    refusals = _put_off.get()
    if refusals is None:
        raise refusal
    refusals.append(refusal)
