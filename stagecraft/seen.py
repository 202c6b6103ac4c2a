"""States that operations manage besides paths: in the manifest, and in the drift check."""

import json
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

from stagecraft.facts.files import Entry
from stagecraft.facts.services import Unit
from stagecraft.operations.nodes import Absent, Node, RemoveIfEmpty


class CompositeValue(ABC):
    """A state of several values, which are compared and recorded one by one; printed as text."""

    @abstractmethod
    def __str__(self) -> str: ...


Value = str | CompositeValue


def encoded(value: Value) -> Any:
    """The value as JSON returns it."""
    return json.loads(json.dumps(value, default=plain))


def plain(value: Any) -> Any:
    return vars(value) if isinstance(value, CompositeValue) else sorted(value)


@dataclass(frozen=True)
class State:
    """The declared and found state of something that is not a path. They are equal if it is as
    declared; `declared` is empty if it must not exist, `found` if it does not. If the unit
    `through` is down, the state is unknown."""

    kind: str
    thing: str
    declared: Value
    found: Value
    through: str = ""

    @property
    def name(self) -> str:
        return f"{self.kind} {self.thing}"

    @property
    def as_declared(self) -> bool:
        return self.declared == self.found


@dataclass(frozen=True)
class Place:
    """A path of a tree that differs from its declaration; `user` is who reads it."""

    tree: str
    node: Node
    entry: Entry | None
    user: str

    as_declared = False

    @property
    def kind(self) -> str:
        """The declared kind, or the existing one if the path is declared absent."""
        if not isinstance(self.node, (Absent, RemoveIfEmpty)):
            return self.node.kind
        return self.entry.kind if self.entry else "file"

    @property
    def thing(self) -> str:
        return self.node.path


Seen = State | Place


@dataclass(frozen=True)
class Service:
    """The present state of a unit that the plan manages. `step` is what it needs to match its
    files; `follows` means that the plan changes those files first."""

    unit: str
    present: Unit
    step: str
    follows: bool
