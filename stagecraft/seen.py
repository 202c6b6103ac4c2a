"""What operations ensure, and how they find it: what the manifest records beside paths, and what
the drift check tells."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

from stagecraft.facts.files import Entry
from stagecraft.facts.services import Unit
from stagecraft.operations.nodes import Directory, File, Link, Node


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

    @property
    def kind(self) -> str:
        """What is declared there, or what stands where nothing is."""
        match self.node:
            case File():
                return "file"
            case Directory():
                return "directory"
            case Link():
                return "link"
        return self.entry.kind if self.entry else "file"

    @property
    def thing(self) -> str:
        return self.node.path


Seen = State | Place


@dataclass(frozen=True)
class Service:
    """A unit that the plan looks after, as it was found. `step` is what it needs to run what its
    files say; `follows` means that the plan changes those files first."""

    unit: str
    present: Unit
    step: str
    follows: bool
