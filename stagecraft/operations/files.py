"""A tree of files installed as one unit: compared with one fact, checked by the service's own
checker, installed with atomic renames."""

import io
import tarfile
from base64 import encodebytes
from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeGuard

from pyinfra.api.command import StringCommand
from pyinfra.api.operation import OperationMeta, operation
from pyinfra.context import host, state

from stagecraft.facts.files import Entry, TreeFact, becoming_with_time_limit
from stagecraft.operations.diff import show
from stagecraft.operations.nodes import Absent, File, Node, RemoveIfEmpty, Sealed, index_fields
from stagecraft.operations.scripts import run_script, script
from stagecraft.project import OVERRIDES
from stagecraft.run import report_states, this_run
from stagecraft.seen import Place

INSTALL_TREE = script("install_tree")


@dataclass(frozen=True)
class Checker:
    """A service's own checker: its name for messages, its shell command, and the directories that
    it sees as if the tree were installed; they must exist when it runs. If the `unit` that reads
    the tree rejects the new files, the old ones are restored."""

    name: str
    command: str
    directories: tuple[str, ...]
    unit: str = ""


@dataclass(frozen=True)
class Written:
    """A tree and its pyinfra operation."""

    tree: str
    meta: OperationMeta


def differing(nodes: Iterable[Node], entries: dict[str, Entry]) -> list[Node]:
    return [node for node in nodes if not is_as_declared(node, entries.get(node.path))]


def is_as_declared(node: Node, entry: Entry | None) -> bool:
    if entry is None:
        return isinstance(node, (Absent, RemoveIfEmpty))
    return node.matches(entry)


def payload(nodes: Iterable[Node], records: str = "") -> str:
    """The stdin of `install_tree.sh`: a tar in base64 with index, manifest's lines and contents."""
    index = "".join("\t".join(index_fields(node)) + "\n" for node in nodes)
    members = {"index": index.encode(), "records": records.encode()}
    members |= {f"files{node.path}": node.data for node in nodes if isinstance(node, File)}
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, data in members.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(data), 0o600
            archive.addfile(member, io.BytesIO(data))
    return encodebytes(buffer.getvalue()).decode()


def tree(
    *,
    name: str,
    tree: str,
    nodes: Sequence[Node],
    site: str = "",
    check: Checker | None = None,
    user: str = "root",
    needs: Sequence[Written | OperationMeta] = (),
) -> Written:
    """Ensures that all nodes of the tree are as declared, and that nothing remains of what the
    environment's last runs installed in it; if the checker refuses them, that none has changed.

    Args:
        tree: its name, such as `nginx`, by which the manifest groups paths.
        nodes: parents before children.
        site: its owner; the tree is removed once the site is no longer declared.
        check: runs before installation, and sees the tree as if it were installed.
        needs: operations of this run; if one fails, the tree is not changed.
        user: who reads and writes. Below directories that another user can write to, it must be
            that user: root would follow links that the user creates.
    """
    tree, manifest = f"{tree}-{site}" if site else tree, this_run().manifest
    if this_run().checks:
        nodes = manifest.sealed(nodes)
    stale = manifest.declare(tree, nodes, site)
    if own := sorted({node.origin for node in nodes if is_overridden(node)}):
        name += f", from {', '.join(own)}"
    if stale:
        name += f", remove {', '.join(node.path for node in stale)}"
    nodes = [*nodes, *stale]
    meta = install(name=name, tree=tree, nodes=nodes, check=check, user=user, needs=needs)
    return Written(tree, meta)


def is_overridden(node: Node) -> TypeGuard[File]:
    """Whether it is rendered from a team's own template."""
    return isinstance(node, File) and Path(node.origin).is_relative_to(OVERRIDES)


def went_wrong(earlier: Written | OperationMeta) -> bool:
    meta = earlier.meta if isinstance(earlier, Written) else earlier
    return meta.is_complete() and meta.did_error()


@operation()
def install(
    tree: str,
    nodes: Sequence[Node],
    check: Checker | None,
    user: str,
    needs: Sequence[Written | OperationMeta],
) -> Generator[StringCommand]:
    """What `tree` ensures. New paths are recorded in the manifest before they are created, so that
    an interrupted run leaves nothing unrecorded."""
    if not nodes:
        return
    manifest = this_run().manifest
    entries = host.get_fact(TreeFact, paths=[node.path for node in nodes], user=user)
    changes = differing(nodes, entries)
    report_states(*(Place(tree, node, entries.get(node.path), user) for node in changes))
    if not changes or (state.is_executing and any(map(went_wrong, needs))):
        return
    if state.is_executing and any(isinstance(node, Sealed) for node in nodes):
        raise ValueError(f"{tree} holds stand-ins for secrets, which never reach a server")
    show(changes, entries, user)
    arguments = [tree, manifest.path]
    if check:
        arguments += [check.unit, check.name, check.command, *check.directories]
    # In a site's own directories nothing is ever removed, and its user cannot write the manifest.
    records = manifest.ahead(tree, changes) if user == "root" else ""
    yield run_script(
        INSTALL_TREE,
        *arguments,
        stdin=payload(changes, records),
        becoming=becoming_with_time_limit(user),
    )
