"""What can be declared of a path: a file, a directory, a link, or that nothing stands there."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from stagecraft.facts.files import Entry


@dataclass(frozen=True)
class File:
    """A regular file. `mode` is octal text; `secret` keeps its text out of every diff, but for the
    lines of the `public` keys; `origin` is the template it was rendered from, for messages."""

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

    def index_line(self) -> list[str]:
        origin = self.origin or "-"
        return ["file", self.path, self.user, self.group, self.mode, "-", origin]


@dataclass(frozen=True)
class Sealed(File):
    """A file with secrets that nobody has opened: it is told by the sum that the last run has
    recorded, which is empty where none has. Its content is made of stand-ins."""

    recorded: str = ""

    @property
    def sha256(self) -> str:
        return self.recorded


@dataclass(frozen=True)
class Directory:
    """A directory. `acl` are entries as `setfacl -m` takes them, such as `user:www-data:--x`."""

    path: str
    user: str = "root"
    group: str = "root"
    mode: str = "755"
    acl: tuple[str, ...] = ()

    def matches(self, entry: Entry) -> bool:
        return (
            entry.kind == "directory"
            and (entry.user, entry.group, entry.mode) == (self.user, self.group, self.mode)
            and entry.acl == frozenset(self.acl)
        )

    def index_line(self) -> list[str]:
        acl = ",".join(self.acl) or "-"
        return ["directory", self.path, self.user, self.group, self.mode, acl, "-"]


@dataclass(frozen=True)
class Link:
    """A symbolic link. An `initial` one is made where nothing stands and then left to its owner:
    the first release of an app's `current`."""

    path: str
    target: str
    initial: bool = False

    def matches(self, entry: Entry) -> bool:
        return self.initial or (entry.kind == "link" and entry.target == self.target)

    def index_line(self) -> list[str]:
        return ["link", self.path, "-", "-", "-", self.target, "-"]


@dataclass(frozen=True)
class Absent:
    """Nothing stands at `path`; with `sha256`, nothing of that text: anything else that stands
    there is somebody's and stays."""

    path: str
    sha256: str = ""

    def matches(self, entry: Entry) -> bool:
        return bool(self.sha256) and entry.sha256 != self.sha256

    def index_line(self) -> list[str]:
        return ["absent", self.path, "-", "-", "-", "-", "-"]


@dataclass(frozen=True)
class Vacant:
    """No directory at `path`, unless something is in it that others put there."""

    path: str

    def matches(self, entry: Entry) -> bool:
        return False

    def index_line(self) -> list[str]:
        return ["vacant", self.path, "-", "-", "-", "-", "-"]


Node = File | Directory | Link | Absent | Vacant
