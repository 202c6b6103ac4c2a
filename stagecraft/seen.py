"""What operations ensure, and how they find it: what the manifest records beside paths, and what
the drift check tells."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pyinfra.context import ctx_host, host

from stagecraft.facts.files import Entry
from stagecraft.operations.nodes import Node


class Standing(ABC):
    """How something stands that one word does not tell: a frozen dataclass, compared and recorded
    by its fields, and shown in words."""

    @abstractmethod
    def __str__(self) -> str: ...


Value = str | Standing


def encoded(value: Value) -> Any:
    """As JSON has it."""
    return json.loads(json.dumps(value, default=plain))


def plain(value: Any) -> Any:
    return vars(value) if isinstance(value, Standing) else sorted(value)


@dataclass(frozen=True)
class State:
    """Something that is no path: what is declared of it and what was found, which are equal where
    it stands as declared, and empty where it shall not be, or is not, there.

    `through` is the unit without which nothing can be told of it.
    """

    kind: str
    thing: str
    declared: Value
    found: Value
    through: str = ""

    @property
    def name(self) -> str:
        return f"{self.kind} {self.thing}"

    @property
    def stands(self) -> bool:
        return self.declared == self.found


@dataclass(frozen=True)
class Place:
    """A path of a tree that does not stand as declared; `user` is who reads it."""

    tree: str
    node: Node
    entry: Entry | None
    user: str


Seen = State | Place

_seen: dict[tuple[str, str], list[Seen]] = {}
"""By host and operation."""


def saw(*all_of_it: Seen) -> None:
    """What the operation that is being planned or executed looks after, said before its first
    command. With nothing, that it only follows from others: it takes up what they change."""
    if ctx_host.isset():  # type: ignore[no-untyped-call]
        _seen[host.name, host.current_op_hash or ""] = list(all_of_it)


def seen_by(operation: str) -> list[Seen] | None:
    """What the operation with this hash saw on this host; None where it tells nothing."""
    return _seen.get((host.name, operation))


def states() -> Iterator[State]:
    """All that has been seen on this host besides paths."""
    for (name, _), all_of_it in _seen.items():
        if name == host.name:
            yield from (seen for seen in all_of_it if isinstance(seen, State))


def displaced() -> set[str]:
    """The paths on this host that do not stand as declared."""
    links = {state.thing for state in states() if state.kind == "link" and not state.stands}
    return links | {
        seen.node.path
        for (name, _), all_of_it in _seen.items()
        if name == host.name
        for seen in all_of_it
        if isinstance(seen, Place)
    }
