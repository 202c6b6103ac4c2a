"""A server's answers, and everything declared for it, in the files and in records on the server."""

from collections.abc import Collection, Mapping
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
from stagecraft.yaml_files import read_yaml

T = TypeVar("T")


def ask(fact: type[Fact[T]], **arguments: Any) -> T:
    """The answer of pyinfra's current host. Raises PyinfraError without one."""
    answer: T = host.get_fact(fact, **arguments)
    return answer


@dataclass(frozen=True)
class Declared:
    """`environment` is the one being checked; `environments` are all on this server, including it.
    `records` are what runs have installed, by environment; another repository's environments have
    nothing else here. `as_found` is the server's state before all of them. `known` are checksums of
    such records that the project vouches for."""

    environment: Environment
    environments: tuple[Environment, ...]
    records: dict[str, Records]
    machine: Machine
    as_found: AsFound = field(default_factory=AsFound)
    known: Mapping[str, str] = field(default_factory=dict)

    @property
    def settings(self) -> Server:
        return self.environment.server

    @cached_property
    def sites(self) -> tuple[Site, ...]:
        """Of all environments on the server."""
        return tuple(site for environment in self.environments for site in environment.sites)

    @cached_property
    def image(self) -> AsFound:
        """The server's state at first, unless its record was changed since."""
        known = self.known.get(AS_FOUND)
        return AsFound() if known and known != digest(self.as_found.text) else self.as_found

    @cached_property
    def foreign(self) -> dict[str, Records]:
        """Records of no environment in the files: another repository's, or forged."""
        ours = {environment.name for environment in self.environments}
        return {name: records for name, records in self.records.items() if name not in ours}

    @cached_property
    def trusted(self) -> list[Records]:
        """The foreign records whose checksum is in known_records."""
        found = self.foreign.items()
        return [records for name, records in found if self.known.get(name) == digest(records.text)]

    @cached_property
    def site_names(self) -> frozenset[str]:
        """Of all sites, including those of another repository."""
        others = {record.site for records in self.trusted for record in records.paths} - {""}
        return frozenset(others | {site.name for site in self.sites})

    @cached_property
    def paths(self) -> frozenset[str]:
        """Every declared file, directory and link. They come from the plan, because root on the
        server can write the records of earlier runs. Without a plan the check is unknown, and the
        record is used."""
        own = planned()
        if own is None:
            own = frozenset(self._recorded(self.environment))
        return own.union(*(records.all_paths for records in self.trusted))

    def recorded_by(self, paths: Collection[str]) -> tuple[str, ...]:
        """Neighbours in the same files whose runs recorded all of the paths; their own checks
        decide whether they still declare them."""
        others = (env for env in self.environments if env.name != self.environment.name)
        return tuple(env.name for env in others if self._recorded(env) >= set(paths))

    def _recorded(self, environment: Environment) -> set[str]:
        return self.records.get(environment.name, Records()).all_paths


def declared_here() -> Declared:
    """For pyinfra's current host."""
    environment, root = environment_of(host.data), Path(host.data.root)
    files = sorted(path for path in (root / "group_data").glob("*.yml") if path.stem != "all")
    server = environment.server.name
    here = [path.stem for path in files if read_yaml(path, root).data.get("server") == server]
    records, known = ask(ManifestsFact), known_records(environment.server, root)
    return Declared(
        environment=environment,
        environments=tuple(read(name, root) for name in here),
        records=records,
        machine=supported_machine(environment),
        as_found=ask(AsFoundFact) or AsFound(),
        known={name: known.sum(name) for name in (AS_FOUND, *records)},
    )
