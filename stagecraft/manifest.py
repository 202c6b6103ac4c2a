"""What an environment has installed on a server, by which its next run removes exactly what is no
longer declared; and the file format of that record."""

import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import PurePath
from typing import Any

from stagecraft.errors import BrokenOverride
from stagecraft.operations.nodes import (
    Absent,
    Directory,
    File,
    Link,
    Node,
    RemoveIfEmpty,
    Sealed,
    index_fields,
)
from stagecraft.paths import APPS, DATABASE_LOGINS, MANIFESTS, UNITS
from stagecraft.seen import State, encoded
from stagecraft.version import OURS

KEPT = (f"{APPS}/", f"{DATABASE_LOGINS}/", "/var/log/")
"""Data, and its logins: they stay when their site is removed, until a person deletes them."""


def is_kept(path: str) -> bool:
    return f"{path}/".startswith(KEPT)


# --- As the server keeps it ---


@dataclass(frozen=True)
class PathRecord:
    """A file, directory or link that a run created, for a `site` or the machine. `value` is a
    file's SHA-256, a link's target or a directory's ACL; `-` if there is none, or up to the app."""

    site: str
    tree: str
    kind: str
    path: str
    user: str
    group: str
    mode: str
    value: str

    @property
    def state(self) -> tuple[str, ...]:
        """The recorded state, without site, tree and path."""
        return (self.kind, self.user, self.group, self.mode, self.value)


def path_record(tree: str, node: File | Directory | Link, site: str = "") -> PathRecord:
    kind, path, user, group, mode, value, _ = index_fields(node)
    match node:
        case File():
            value = node.sha256
        case Directory():
            value = ",".join(sorted(node.acl)) or "-"
        case Link(initial=True):
            value = "-"
    return PathRecord(site, tree, kind, path, user, group, mode, value)


@dataclass
class Records:
    """What the runs of one environment recorded; `version` is that of the last run. `states` are
    those of things other than paths, by `State.name`; `text` is the contents of the file."""

    paths: list[PathRecord] = field(default_factory=list)
    packages: set[str] = field(default_factory=set)
    databases: set[str] = field(default_factory=set)
    states: dict[str, Any] = field(default_factory=dict)
    version: str = ""
    text: str = ""

    @property
    def all_paths(self) -> set[str]:
        return {record.path for record in self.paths}


def parse_manifests(lines: Iterable[str]) -> dict[str, Records]:
    """The records of each environment, from the files' lines below `== <environment>`. Skips
    truncated lines, which a full disk may cause."""
    manifests: dict[str, Records] = {}
    name = ""
    for line in lines:
        if line.startswith("== "):
            name = line[3:]
            manifests[name] = Records()
        elif added(manifests[name], from_json(line) or from_tabs(line.split("\t"))):
            manifests[name].text += f"{line}\n"
    return manifests


def from_json(line: str) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):  # forged
        return None


def from_tabs(words: list[str]) -> Any:
    """A line of a version before 0.2, with fields separated by tabs."""
    match words:
        case [_, "package" | "database" as kind, name]:
            return {kind: name}
        case [_, "state", name, value]:
            applied = re.fullmatch("settings (?P<settings>.*), values (?P<values>.*)", value)
            return {"state": name, "value": applied.groupdict() if applied else value}
        case [tree, kind, *rest, value] if len(rest) == 4:
            site = OF_A_SITE.fullmatch(tree)
            value = ",".join(sorted(value.split(","))) if kind == "directory" else value
            words = [site[1] if site else "", tree, kind, *rest, value]
            return dict(zip(PATH_FIELDS, words, strict=True))
    return None


OF_A_SITE = re.compile(
    "(?:app|storage|settings|reach|database|redis|logs|logrotate|socket|php-fpm|nginx)-(.*)"
)
"""The trees in such lines that belong to a site."""

PATH_FIELDS = [field.name for field in fields(PathRecord)]


def added(records: Records, entry: Any) -> bool:
    """Adds a record; False if it is invalid."""
    match entry:
        case {"version": str(version)}:
            records.version = version
        case {"package": str(package)}:
            records.packages.add(package)
        case {"database": str(database)}:
            records.databases.add(database)
        case {"state": str(state), "value": value}:
            records.states[state] = value
        case {"kind": "file" | "directory" | "link"} if is_path(entry):
            records.paths.append(PathRecord(**entry))
        case _:
            return False
    return True


def is_path(entry: Mapping[str, object]) -> bool:
    """Whether all fields exist and have the right types; anything else is forged."""
    return [*entry] == PATH_FIELDS and all(isinstance(value, str) for value in entry.values())


def lines(entries: Iterable[Mapping[str, Any]]) -> str:
    return "".join(f"{json.dumps(entry)}\n" for entry in entries)


# --- Declared by a run ---

OWN = "own-"
"""The prefix of trees that a team's own steps (overrides/*.py) install."""


@dataclass
class Manifest:
    """The records of an environment and its neighbours, and what this run declares."""

    environment: str
    records: dict[str, Records] = field(default_factory=dict)
    whole: bool = True
    """Whether this run declares all of the environment, or a part."""
    declared: dict[str, list[Node]] = field(default_factory=dict)
    sites: dict[str, str] = field(default_factory=dict)
    """The site of a declared tree; empty for the machine's."""
    databases: set[str] = field(default_factory=set)
    dropped: set[str] = field(default_factory=set)

    @property
    def path(self) -> str:
        return f"{MANIFESTS}/{self.environment}"

    @property
    def own(self) -> Records:
        return self.records.get(self.environment, Records())

    @property
    def environments(self) -> list[str]:
        """Those on this server, including this one."""
        return sorted({*self.records, self.environment})

    @property
    def declared_paths(self) -> set[str]:
        return {node.path for nodes in self.declared.values() for node in nodes}

    def declare(self, tree: str, nodes: Sequence[Node], site: str = "") -> list[Node]:
        """Declares the tree. Returns nodes that remove its other paths, a directory's contents
        first. Raises BrokenOverride if the name is taken: each tree removes all others' paths."""
        if tree in self.declared:
            raise BrokenOverride(f"this run has a tree {tree} already: give each a name of its own")
        self.declared[tree] = list(nodes)
        self.sites[tree] = site
        gone = {record.path: record.kind for record in self._unneeded([tree])}
        return [
            RemoveIfEmpty(path) if gone[path] == "directory" else Absent(path)
            for path in sorted(gone, reverse=True)
            if not is_kept(path)
        ]

    def sealed(self, nodes: Iterable[Node]) -> list[Node]:
        """The nodes, with recorded checksums instead of the contents of files with secrets."""
        sums = {record.path: record.value for record in self.own.paths if record.kind == "file"}
        return [
            Sealed(**vars(node), recorded=sums.get(node.path, ""))
            if isinstance(node, File) and node.secret
            else node
            for node in nodes
        ]

    def ahead(self, tree: str, changes: Iterable[Node]) -> str:
        """The lines for nodes that are not recorded yet, to be written before installation."""
        known = {(record.tree, record.path) for record in self.own.paths}
        new = (node for node in changes if (tree, node.path) not in known)
        return lines(map(vars, self._path_records(tree, new)))

    def installed_sites(self) -> list[str]:
        return sorted({record.site for record in self.own.paths} - {""})

    def removed_sites(self) -> list[str]:
        """Installed sites that are no longer declared. Complete once all sites are declared; empty
        in a run that declares only a part."""
        if not self.whole:
            return []
        declared = {self.sites[tree] for tree, nodes in self.declared.items() if nodes}
        return [site for site in self.installed_sites() if site not in declared]

    def left_trees(self, site: str) -> list[str]:
        """The trees of a site that this run has not declared, newest first."""
        trees = dict.fromkeys(
            record.tree for record in self._left(site) if not is_kept(record.path)
        )
        return [tree.removesuffix(f"-{site}") for tree in reversed(trees)]

    def left_units(self, site: str) -> list[str]:
        """The units in such trees, newest first, but timers and sockets before their services."""
        paths = [PurePath(record.path) for record in self._left(site)]
        names = [path.relative_to(UNITS).parts[0] for path in paths if path.is_relative_to(UNITS)]
        units = dict.fromkeys(name.removesuffix(".d") for name in reversed(names))
        return sorted(units, key=lambda unit: unit.endswith(".service"))

    def removed_steps(self) -> list[str]:
        """The trees of a team's own steps that no step declares any more."""
        trees = {record.tree for record in self.own.paths if record.tree.startswith(OWN)}
        return sorted(trees - self.declared.keys()) if self.whole else []

    def logins_of(self, removed: str) -> list[str]:
        """The database accounts of a removed site, unless another site uses them."""
        logins = (PurePath(record.path) for record in self._left(removed))
        return sorted(path.stem for path in logins if path.parent == PurePath(DATABASE_LOGINS))

    def installed(self, package: str) -> bool:
        """Whether a run installed this Debian package, so that it was not there before."""
        return any(package in records.packages for records in self.records.values())

    def made(self, database: str) -> bool:
        """Whether a run of this environment created the database."""
        return database in self.own.databases

    def owner(self, path: str) -> str:
        """The other environment that installed this path, or empty."""
        return next((name for name, others in self._others() if path in others.all_paths), "")

    def text(self, records: Records, states: Sequence[State] = ()) -> str:
        """The manifest after this run. Undeclared packages and databases stay recorded; so does
        everything else after a run that declares only a part."""
        stated = {state.name: encoded(state.declared) for state in states if state.declared}
        trees = dict.fromkeys(self.declared)
        if not self.whole:
            trees = dict.fromkeys([*(record.tree for record in records.paths), *trees])
            named = {state.name for state in states}
            stated |= {name: value for name, value in records.states.items() if name not in named}
        databases = (records.databases | self.databases) - self.dropped
        return lines(
            [
                {"version": OURS},
                *({"package": name} for name in sorted(records.packages)),
                *({"database": name} for name in sorted(databases)),
                *(vars(record) for tree in trees for record in self._paths(tree, records)),
                *({"state": name, "value": stated[name]} for name in sorted(stated)),
            ]
        )

    def _paths(self, tree: str, records: Records) -> Iterable[PathRecord]:
        if tree in self.declared:
            return self._path_records(tree, self.declared[tree])
        return (record for record in records.paths if record.tree == tree)

    def _path_records(self, tree: str, nodes: Iterable[Node]) -> Iterator[PathRecord]:
        for node in nodes:
            if not isinstance(node, (Absent, RemoveIfEmpty)):
                yield path_record(tree, node, self.sites.get(tree, ""))

    def _left(self, site: str) -> list[PathRecord]:
        trees = {record.tree for record in self.own.paths if record.site == site}
        return self._unneeded(trees - self.declared.keys()) if self.whole else []

    def _unneeded(self, trees: Collection[str]) -> list[PathRecord]:
        """Paths in these trees that neither this run nor another environment declares."""
        needed = self.declared_paths.union(*(others.all_paths for _, others in self._others()))
        own = (record for record in self.own.paths if record.path not in needed)
        return [record for record in own if record.tree in trees]

    def _others(self) -> list[tuple[str, Records]]:
        return [item for item in self.records.items() if item[0] != self.environment]
