"""What can be declared for a path: a file, a directory, a link, or its absence."""

import hashlib
from dataclasses import dataclass, field
from typing import ClassVar

from stagecraft.facts.files import Entry


@dataclass(frozen=True)
class File:
    """A regular file. `mode` is octal text; `secret` keeps its contents out of every diff, except
    for the lines of the `public` keys; `origin` is its template, for messages."""

    kind: ClassVar = "file"
    path: str
    content: str = field(repr=False)
    user: str = "root"
    group: str = "root"
    mode: str = "644"
    secret: bool = False
    public: frozenset[str] = frozenset()
    origin: str = ""

    @property
    def data(self) -> bytes:
        return self.content.encode()

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.data).hexdigest()

    def matches(self, entry: Entry) -> bool:
        return (
            entry.kind == "file"
            and entry.sha256 == self.sha256
            and (entry.user, entry.group, entry.mode) == (self.user, self.group, self.mode)
            and not entry.acl
        )


@dataclass(frozen=True)
class Sealed(File):
    """A file with secrets, built without them. It is compared by the checksum that the last run
    recorded (empty if none did); its content has stand-ins."""

    recorded: str = ""

    @property
    def sha256(self) -> str:
        return self.recorded


@dataclass(frozen=True)
class Directory:
    """A directory. `acl` are entries in setfacl's format, such as `user:www-data:--x`."""

    kind: ClassVar = "directory"
    path: str
    user: str = "root"
    group: str = "root"
    mode: str = "755"
    acl: tuple[str, ...] = ()

    @property
    def value(self) -> str:
        return ",".join(self.acl)

    def matches(self, entry: Entry) -> bool:
        return (
            entry.kind == "directory"
            and (entry.user, entry.group, entry.mode) == (self.user, self.group, self.mode)
            and entry.acl == frozenset(self.acl)
        )


@dataclass(frozen=True)
class Link:
    """A symbolic link. An `initial` one is only created if nothing exists there, and then belongs
    to its owner, like `current`, which an app's releases change."""

    kind: ClassVar = "link"
    path: str
    target: str
    initial: bool = False

    @property
    def value(self) -> str:
        return self.target

    def matches(self, entry: Entry) -> bool:
        return self.initial or (entry.kind == "link" and entry.target == self.target)


@dataclass(frozen=True)
class Absent:
    """Nothing exists at `path`. With `sha256`, this only removes contents with that checksum;
    anything else belongs to somebody and stays."""

    kind: ClassVar = "absent"
    path: str
    sha256: str = ""

    def matches(self, entry: Entry) -> bool:
        return bool(self.sha256) and entry.sha256 != self.sha256


@dataclass(frozen=True)
class RemoveIfEmpty:
    """No directory at `path`, unless others put something in it."""

    kind: ClassVar = "empty"
    path: str

    def matches(self, entry: Entry) -> bool:
        return False


Node = File | Directory | Link | Absent | RemoveIfEmpty


def index_fields(node: Node) -> list[str]:
    """The node's fields in the index that install_tree.sh reads; `-` means not applicable."""
    names = ("kind", "path", "user", "group", "mode", "value", "origin")
    return [getattr(node, name, "") or "-" for name in names]
