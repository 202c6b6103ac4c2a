"""What an environment has installed on a server, so that its next run can remove what nobody
declares any more, and no run removes anything else."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath

from pyinfra.context import host

from stagecraft.facts.manifests import DECLARED, STATE, Manifests, Record
from stagecraft.operations.nodes import Absent, File, Link, Node, Sealed, Vacant
from stagecraft.paths import APPS, DATABASE_LOGINS, MANIFESTS
from stagecraft.seen import State

KEPT = (f"{APPS}/", f"{DATABASE_LOGINS}/", "/var/log/")
"""Data, and what opens it: it stays when its site goes, until a person deletes it."""

PACKAGE = "package"
DATABASE = "database"

OWN = "own-"
"""What the names of trees begin with that a team's own steps (overrides/*.py) install."""


@dataclass
class Manifest:
    """What is recorded of an environment and of its neighbours, and what this run declares."""

    environment: str
    records: dict[str, list[Record]] = field(default_factory=dict)
    declared: dict[str, list[Node]] = field(default_factory=dict)
    databases: set[str] = field(default_factory=set)
    dropped: set[str] = field(default_factory=set)

    @property
    def path(self) -> str:
        return f"{MANIFESTS}/{self.environment}"

    @property
    def own(self) -> list[Record]:
        return self.records.get(self.environment, [])

    @property
    def environments(self) -> list[str]:
        """Those on this server, this one included."""
        return sorted({*self.records, self.environment})

    @property
    def declared_paths(self) -> set[str]:
        """Those that this run has declared."""
        return {node.path for nodes in self.declared.values() for node in nodes}

    def declare(self, tree: str, nodes: Sequence[Node]) -> list[Node]:
        """Notes what the tree shall be; returns what of it once was and is to go, the contents
        of a directory before it."""
        self.declared[tree] = list(nodes)
        wanted = self.declared_paths | self._of_others()
        gone = {
            record.path: record.kind
            for record in self.own
            if record.tree == tree and record.kind not in (PACKAGE, DATABASE)
            if record.path not in wanted and not record.path.startswith(KEPT)
        }
        return [
            Vacant(path) if gone[path] == "directory" else Absent(path)
            for path in sorted(gone, reverse=True)
        ]

    def sealed(self, nodes: Iterable[Node]) -> list[Node]:
        """The same, but for files with secrets only their recorded sums."""
        sums = {record.path: record.fields[-1] for record in self.own if record.kind == "file"}
        return [
            Sealed(**vars(node), recorded=sums.get(node.path, ""))
            if isinstance(node, File) and node.secret
            else node
            for node in nodes
        ]

    def ahead(self, tree: str, changes: Iterable[Node]) -> str:
        """The lines for what is about to be installed and is not recorded yet."""
        known = {(record.tree, record.path) for record in self.own}
        return lines(tree, (node for node in changes if (tree, node.path) not in known))

    def removed_sites(self) -> list[str]:
        """The sites that have been installed and are not declared; known when all others are."""
        apps = {record.tree for record in self.own if record.tree.startswith("app-")}
        return sorted(tree.removeprefix("app-") for tree in apps - self.declared.keys())

    def removed_steps(self) -> list[str]:
        """The trees of a team's own steps that no step declares any more."""
        trees = {record.tree for record in self.own if record.tree.startswith(OWN)}
        return sorted(trees - self.declared.keys())

    def logins_of(self, removed: str) -> list[str]:
        """The database accounts of a removed site that no other site has taken over."""
        needed = self.declared_paths | self._of_others()
        return sorted(
            PurePath(record.path).stem
            for record in self.own
            if record.tree == f"database-{removed}" and record.kind == "file"
            if record.path not in needed
        )

    def installed(self, package: str) -> bool:
        """Whether a run has installed this Debian package, not somebody else before it."""
        return any(
            record.kind == PACKAGE and record.path == package
            for records in self.records.values()
            for record in records
        )

    def made(self, database: str) -> bool:
        """Whether a run of this environment has made the database."""
        return any(record.kind == DATABASE and record.path == database for record in self.own)

    def owner(self, path: str) -> str:
        """The other environment that has installed this path, or nobody."""
        others = (name for name in self.records if name != self.environment)
        return next(
            (name for name in others if any(r.path == path for r in self.records[name])), ""
        )

    def text(self, records: Iterable[Record], states: Iterable[State] = ()) -> str:
        """The manifest of what this run declares, and of the packages and databases among the
        records, which stay when nobody declares them any more."""
        kept = {record.text + "\n" for record in records if record.kind == PACKAGE}
        databases = {record.path for record in records if record.kind == DATABASE}
        kept |= {
            f"databases\t{DATABASE}\t{name}\n"
            for name in (databases | self.databases) - self.dropped
        }
        paths = (lines(tree, nodes) for tree, nodes in self.declared.items())
        stated = {
            f"{DECLARED}\t{STATE}\t{state.name}\t{state.declared}\n"
            for state in states
            if state.declared
        }
        return "".join([*sorted(kept), *paths, *sorted(stated)])

    def text_of_a_part(self, records: Sequence[Record], states: Sequence[State]) -> str:
        """The manifest after a run that declares only a part of the environment: what is recorded
        of everything else stays."""
        named = {state.name for state in states}
        rest = (
            f"{record.text}\n"
            for record in records
            if record.tree not in self.declared
            and record.kind not in (PACKAGE, DATABASE)
            and not (record.kind == STATE and record.path in named)
        )
        return self.text(records, states) + "".join(rest)

    def _of_others(self) -> set[str]:
        return {
            record.path
            for environment, records in self.records.items()
            if environment != self.environment
            for record in records
        }


def lines(tree: str, nodes: Iterable[Node]) -> str:
    """For each node that stands somewhere `tree kind path user group mode value`, separated by
    tabs; the value is a file's SHA-256, a link's target or a directory's ACL, and `-` where the
    app decides it."""
    records = []
    for node in nodes:
        kind, path, user, group, mode, value, _ = node.index_line()
        if isinstance(node, (Absent, Vacant)):
            continue
        if isinstance(node, File):
            value = node.sha256
        elif isinstance(node, Link) and node.initial:
            value = "-"
        records.append("\t".join((tree, kind, path, user, group, mode, value)) + "\n")
    return "".join(records)


_open: dict[str, Manifest] = {}


def open_manifest(environment: str) -> Manifest:
    """The environment's manifest on this host, for as long as the run lasts."""
    records = host.get_fact(Manifests)
    _open[host.name] = Manifest(environment, records)
    return _open[host.name]


def manifest() -> Manifest:
    """The manifest that the run has opened on this host."""
    return _open[host.name]
