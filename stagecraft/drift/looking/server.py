"""A server: what it answers, and all that anybody has declared for it, in the files and in what
runs have recorded there."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from pyinfra.context import host

from stagecraft.drift.looking.plan import planned
from stagecraft.facts.as_found import AsFound, AsFoundFact
from stagecraft.facts.machine import Machine
from stagecraft.facts.manifests import ManifestsFact
from stagecraft.facts.reading import Fact
from stagecraft.known_records import AS_FOUND, digest, known_records
from stagecraft.machine import supported_machine
from stagecraft.manifest import Records
from stagecraft.settings import Environment, Server, Site, environment_of, read
from stagecraft.sources import read_yaml

T = TypeVar("T")


def ask(fact: type[Fact[T]], **arguments: Any) -> T:
    """What the server that pyinfra talks to answers. Raises PyinfraError where it does not."""
    answer: T = host.get_fact(fact, **arguments)
    return answer


@dataclass(frozen=True)
class Declared:
    """`environment` is the one that is checked, `environments` all that the files put on this
    server, it among them. `records` are what runs have installed, by environment: one of another
    repository stands only there. `as_found` is what the server had before all of them. `known` are
    the sums of such records that the project vouches for."""

    environment: Environment
    environments: tuple[Environment, ...]
    records: dict[str, Records]
    machine: Machine
    as_found: AsFound = field(default_factory=AsFound)
    known: Mapping[str, str] = field(default_factory=dict)

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

    @property
    def image(self) -> AsFound:
        """What the server had at first, unless somebody has written another one since."""
        known = self.known.get(AS_FOUND)
        return AsFound() if known and known != digest(self.as_found.text) else self.as_found

    @cached_property
    def foreign(self) -> dict[str, Records]:
        """Records that no environment of the files has left: another repository's, or nobody's."""
        ours = {environment.name for environment in self.environments}
        return {name: records for name, records in self.records.items() if name not in ours}

    @cached_property
    def trusted(self) -> list[Records]:
        """The foreign records whose checksum is in known_records."""
        return [
            records
            for name, records in self.foreign.items()
            if self.known.get(name) == digest(records.text)
        ]

    @cached_property
    def site_names(self) -> frozenset[str]:
        """Those of all sites that anybody has declared, in another repository, too."""
        others = {record.site for records in self.trusted for record in records.paths} - {""}
        return frozenset(others | {site.name for site in self.sites})

    @cached_property
    def paths(self) -> frozenset[str]:
        """Every file, directory and link that is declared: by the plan, not by the record of what
        earlier runs have installed, which whoever is root there can write. Without a plan, which
        makes the check unknown, the record has to do."""
        own = planned()
        if own is None:
            own = frozenset(self._recorded(self.environment))
        return own.union(*(records.all_paths for records in self.trusted))

    def recorded_by(self, paths: Collection[str]) -> tuple[str, ...]:
        """The neighbours of the same files whose runs have recorded all of the paths: whether they
        declare them, their own check says."""
        return tuple(
            environment.name
            for environment in self.environments
            if environment.name != self.environment.name
            and self._recorded(environment) >= set(paths)
        )

    def _recorded(self, environment: Environment) -> set[str]:
        return self.records.get(environment.name, Records()).all_paths


def declared_here() -> Declared:
    """What is declared for the server that pyinfra talks to."""
    environment = environment_of(host.data)
    root = Path(host.data.root)
    records = ask(ManifestsFact)
    known = known_records(environment.server, root)
    return Declared(
        environment=environment,
        environments=tuple(neighbours(environment, root)),
        records=records,
        machine=supported_machine(environment),
        as_found=ask(AsFoundFact) or AsFound(),
        known={name: known.sum(name) for name in (AS_FOUND, *records)},
    )


def neighbours(environment: Environment, root: Path) -> Iterator[Environment]:
    """The environments of the files on the same server, this one among them."""
    for path in sorted((root / "group_data").glob("*.yml")):
        if path.stem != "all":
            source = read_yaml(path, root)
            if source.data.get("server") == environment.server.name:
                yield read(path.stem, root)
