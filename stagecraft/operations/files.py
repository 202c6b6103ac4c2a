"""A tree of files installed as one unit: compared with one fact, judged by the service's own
checker, put in place by atomic renames."""

from __future__ import annotations

import difflib
import hashlib
import io
import shlex
import tarfile
from base64 import encodebytes
from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import click
from pyinfra.api.command import StringCommand
from pyinfra.api.operation import operation
from pyinfra.context import host, state

from stagecraft.facts.files import Contents, Entry, Tree, becoming

INSTALL_TREE = Path(__file__).with_name("install_tree.sh").read_text()


@dataclass(frozen=True)
class File:
    """A regular file. `mode` is octal text; `secret` keeps its text out of every diff; `origin`
    is the template it was rendered from, for messages."""

    path: str
    content: str = field(repr=False)
    user: str = "root"
    group: str = "root"
    mode: str = "644"
    secret: bool = False
    origin: str = ""

    @property
    def data(self) -> bytes:
        return self.content.encode()

    def matches(self, entry: Entry) -> bool:
        return (
            entry.kind == "file"
            and entry.sha256 == hashlib.sha256(self.data).hexdigest()
            and (entry.user, entry.group, entry.mode) == (self.user, self.group, self.mode)
            and not entry.acl
        )

    def index_line(self) -> list[str]:
        origin = self.origin or "-"
        return ["file", self.path, self.user, self.group, self.mode, "-", origin]


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


Node = File | Directory | Link | Absent


@dataclass(frozen=True)
class Check:
    """A service's own checker: its name for messages, its shell command, and the directories it
    shall see as they would be, which must exist when it runs."""

    name: str
    command: str
    directories: tuple[str, ...]


def differing(nodes: Iterable[Node], entries: dict[str, Entry]) -> list[Node]:
    """The nodes that are not on the server as declared."""
    return [node for node in nodes if not stands(node, entries.get(node.path))]


def stands(node: Node, entry: Entry | None) -> bool:
    if entry is None:
        return isinstance(node, Absent)
    return node.matches(entry)


def payload(nodes: Iterable[Node]) -> str:
    """What `install_tree.sh` reads on stdin: base64 of a tar with the index and the contents."""
    buffer = io.BytesIO()
    index = "".join("\t".join(node.index_line()) + "\n" for node in nodes)
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        add_member(archive, "index", index.encode())
        for node in nodes:
            if isinstance(node, File):
                add_member(archive, f"files{node.path}", node.data)
    return encodebytes(buffer.getvalue()).decode()


def add_member(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(data)
    member.mode = 0o600
    archive.addfile(member, io.BytesIO(data))


def describe(node: Node, entry: Entry | None, old_text: str) -> str:
    """What `--diff` shows of one change; of a secret file only that it differs."""
    if isinstance(node, Absent):
        return f"remove {node.path}"
    verb = "create" if entry is None else "change"
    if not isinstance(node, File):
        return f"{verb} {node.path}"
    if node.secret:
        return f"{verb} {node.path} (its text is secret)"
    before, after = old_text.splitlines(), node.content.splitlines()
    lines = difflib.unified_diff(before, after, node.path, node.path, lineterm="")
    return "\n".join([f"{verb} {node.path} ({node.user}:{node.group} {node.mode})", *lines])


def show_diff(changes: Sequence[Node], entries: dict[str, Entry], user: str) -> None:
    """Prints each change to stderr, where pyinfra's own `--diff` prints."""
    readable = [n.path for n in changes if isinstance(n, File) and not n.secret]
    old: dict[str, str] = {}
    if present := [path for path in readable if path in entries]:
        old = host.get_fact(Contents, paths=present, user=user)
    for node in changes:
        text = describe(node, entries.get(node.path), old.get(node.path, ""))
        for line in text.splitlines():
            click.echo(f"    {host.print_prefix}{line}", err=True)


@operation()
def tree(
    tree: str, nodes: Sequence[Node], check: Check | None = None, user: str = "root"
) -> Generator[StringCommand]:
    """Ensures that all nodes of the tree stand as declared, or, when the checker refuses them,
    that none of them changed.

    Args:
        tree: its name, such as `nginx`; names the staging directory below /run/stagecraft.
        nodes: parents before children.
        check: run before anything is put in place, against the tree as it would be.
        user: who reads and writes. Below directories that another user can write to, it must be
            that one: root would follow the links they put in its way.
    """
    entries = host.get_fact(Tree, paths=[node.path for node in nodes], user=user)
    changes = differing(nodes, entries)
    if not changes:
        return
    if state.config.DIFF and not state.is_executing:
        show_diff(changes, entries, user)
    arguments = [tree]
    if check:
        arguments += [check.name, check.command, *check.directories]
    yield StringCommand(
        *becoming(user),
        "sh",
        "-c",
        shlex.quote(INSTALL_TREE),
        "install-tree",
        *map(shlex.quote, arguments),
        _stdin=payload(changes),
    )
