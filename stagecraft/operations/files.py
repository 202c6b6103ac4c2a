"""A tree of files installed as one unit: compared with one fact, judged by the service's own
checker, put in place by atomic renames."""

from __future__ import annotations

import io
import shlex
import tarfile
from base64 import encodebytes
from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pyinfra.api.command import StringCommand
from pyinfra.api.operation import operation
from pyinfra.context import host, state

from stagecraft.facts.files import Entry, Tree, becoming
from stagecraft.operations.diff import show
from stagecraft.operations.nodes import Absent, File, Node

INSTALL_TREE = Path(__file__).with_name("install_tree.sh").read_text()


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
        show(changes, entries, user)
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
