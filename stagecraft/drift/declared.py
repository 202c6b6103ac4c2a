"""All that anybody has declared for a server: the files, and what runs have recorded there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from pyinfra.context import host

from stagecraft.facts.as_found import AsFound, AsFoundFact
from stagecraft.facts.machine import Machine
from stagecraft.facts.manifests import Manifests, Record
from stagecraft.settings import Environment, Server, Site, environment_of, read
from stagecraft.sources import read_yaml
from tasks.machine import machine


@dataclass(frozen=True)
class Declared:
    """`environment` is the one that is checked, `environments` all that the files put on this
    server, it among them. `records` are what runs have installed, by environment: one of another
    repository stands only there. `as_found` is what the server had before all of them."""

    environment: Environment
    environments: tuple[Environment, ...]
    records: dict[str, list[Record]]
    machine: Machine
    as_found: AsFound = field(default_factory=AsFound)

    @property
    def server(self) -> str:
        return self.environment.server.name

    @property
    def settings(self) -> Server:
        return self.environment.server

    @cached_property
    def sites(self) -> tuple[Site, ...]:
        """Those of all environments on the server."""
        return tuple(site for environment in self.environments for site in environment.sites)

    @cached_property
    def site_names(self) -> frozenset[str]:
        """Those of all sites that anybody has declared, in another repository, too."""
        trees = {record.tree for records in self.records.values() for record in records}
        others = {tree.removeprefix("app-") for tree in trees if tree.startswith("app-")}
        return frozenset(others | {site.name for site in self.sites})

    @cached_property
    def paths(self) -> frozenset[str]:
        """Every file, directory and link that a run has installed."""
        return frozenset(
            record.path
            for records in self.records.values()
            for record in records
            if record.kind in ("file", "directory", "link")
        )


def declared_here() -> Declared:
    """What is declared for the server that pyinfra talks to."""
    environment = environment_of(host.data)
    root = Path(host.data.root)
    return Declared(
        environment=environment,
        environments=tuple(neighbours(environment, root)),
        records=host.get_fact(Manifests),
        machine=machine(environment),
        as_found=host.get_fact(AsFoundFact) or AsFound(),
    )


def neighbours(environment: Environment, root: Path) -> Iterator[Environment]:
    """The environments of the files on the same server, this one among them."""
    for path in sorted((root / "group_data").glob("*.yml")):
        if path.stem != "all":
            source = read_yaml(path, root)
            if source.data.get("server") == environment.server.name:
                yield read(path.stem, root)
