"""Reads `group_data/`: one environment, checked against all that share its server."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from stagecraft.nearest import did_you_mean
from stagecraft.settings import checks
from stagecraft.settings.checks import SiteEntry
from stagecraft.settings.models import Environment, Issuer, Machines, Server, Site, Sites
from stagecraft.settings.shape import Shape
from stagecraft.yaml_files import KeyPath, Location, Problem, SettingsError, YamlFile, read_yaml

REPOSITORY = Path(__file__).resolve().parents[2]

ISSUERS = {
    "selfsigned": Issuer(),
    "letsencrypt": Issuer(directory="https://acme-v02.api.letsencrypt.org/directory"),
}


def read(environment: str, root: Path = REPOSITORY) -> Environment:
    """The environment of this name, from `group_data/` in `root`. Ignores mistakes in environments
    on other servers. Raises SettingsError with all problems, not only the first."""
    reading = _SettingsReader(root, _sources(environment, root))
    result = reading.environment(environment)
    if result is None or reading.problems:
        raise SettingsError(reading.problems)
    return result


def _sources(environment: str, root: Path) -> dict[str, YamlFile]:
    """All files of `group_data/` by their stems; neighbours are found by reading them."""
    sources, problems = {}, list(_missing(environment, root))
    for path in sorted((root / "group_data").glob("*.yml")):
        try:
            sources[path.stem] = read_yaml(path, root)
        except SettingsError as error:
            problems += error.problems
    if problems:
        raise SettingsError(problems)
    return sources


def _missing(environment: str, root: Path) -> Iterator[Problem]:
    """Missing files, and files that are ignored because of their names."""
    folder = root / "group_data"
    environments = {path.stem for path in folder.glob("*.yml")} - {"all"}
    if environment not in environments:
        hint = did_you_mean(environment, sorted(environments))
        yield Problem(Location(f"group_data/{environment}.yml"), f"there is no such file{hint}")
    if not (folder / "all.yml").exists():
        yield Problem(Location("group_data/all.yml"), "there is no such file: it names the servers")
    for path in folder.glob("*.yaml"):
        yield Problem(
            Location(f"group_data/{path.name}"), f"is ignored: rename it to {path.stem}.yml"
        )


class _SettingsReader:
    """One `read`: collects the problems of all files, so that they are reported together."""

    def __init__(self, root: Path, sources: dict[str, YamlFile]) -> None:
        self.root = root
        self.all = sources["all"]
        self.environments = {name: sources[name] for name in sources if name != "all"}
        self.problems: list[Problem] = []
        self.ci: dict[str, list[str]] = {}
        """The keys of the neighbours that have some."""

    def environment(self, name: str) -> Environment | None:
        machines = self._machines()
        issuers = ISSUERS | machines.issuers
        servers = self._servers(machines)
        entries = [
            entry
            for neighbour in self._neighbours(name)
            for entry in self._entries(neighbour, machines, issuers)
        ]
        self.problems += checks.collisions(entries)
        server = servers.get(str(self.environments[name].data.get("server")))
        if server is None:
            return None
        self._check_machine(server, issuers, entries)
        server = self._with_ci(server)
        source = self.environments[name]
        dropped = list(_mapping(source, "databases"))
        self._refuse_each(source, checks.dropped_but_used(dropped, entries))
        sites = [entry.site for entry in entries if entry.site.environment == name]
        return Environment(
            name=name,
            server=server,
            sites=sites,
            issuers=issuers,
            recipients=machines.recipients,
            dropped_databases=dropped,
        )

    def _machines(self) -> Machines:
        """The contents of all.yml; if it is wrong, as much as the other checks need."""
        machines = self._shape(self.all).fit(Machines, self.all.data)
        if machines is None:
            return Machines.model_construct(servers=_mapping(self.all, "servers"))
        for name in ISSUERS.keys() & machines.issuers.keys():
            self._refuse(self.all, ("issuers", name), "is built in: choose another name")
        return machines

    def _servers(self, machines: Machines) -> dict[str, Server]:
        servers = {}
        for name, data in machines.servers.items():
            server = self._shape(self.all, ("servers", name)).fit(Server, data, name=name)
            if server is not None:
                servers[name] = server
        self._refuse_each(self.all, checks.one_name_per_machine(servers))
        self._refuse_each(self.all, checks.logins(servers))
        self._refuse_each(self.all, checks.taken_ports(servers))
        return servers

    def _neighbours(self, name: str) -> list[str]:
        """The environments on this one's server, including itself."""
        server = self.environments[name].data.get("server")
        return [
            other
            for other, source in self.environments.items()
            if other == name or (server and source.data.get("server") == server)
        ]

    def _entries(
        self, environment: str, machines: Machines, issuers: dict[str, Issuer]
    ) -> Iterator[SiteEntry]:
        source = self.environments[environment]
        self._check_file(environment, source, machines)
        for key, data in _mapping(source, "sites").items():
            entry = self._entry(environment, key, data, machines.site_defaults)
            if entry is not None:
                wrong = [
                    *checks.contradictions(entry.site, issuers),
                    *checks.unknown_proof(entry.site, self.environments),
                ]
                self.problems += [Problem(entry.place(path), message) for path, message in wrong]
                yield entry

    def _check_file(self, environment: str, source: YamlFile, machines: Machines) -> None:
        file = self._shape(source).fit(Sites, source.data)
        if file is None:
            return
        if file.ci:
            self.ci[environment] = file.ci
        if file.server not in machines.servers:
            known = did_you_mean(file.server, machines.servers)
            self._refuse(
                source, ("server",), f"group_data/all.yml has no server {file.server!r}{known}"
            )

    def _entry(
        self, environment: str, key: str, data: Any, defaults: dict[str, Any]
    ) -> SiteEntry | None:
        def place(path: KeyPath) -> Location:
            own, default = ("sites", key, *path), ("site_defaults", *path)
            written = own not in source.lines and default in self.all.lines
            return self.all.place(default) if written else source.place(own)

        source = self.environments[environment]
        shape = Shape(
            self.root,
            lambda path, message: self.problems.append(Problem(place(path), message)),
        )
        merged = _merged(defaults, data) if isinstance(data, dict) else data
        site = shape.fit(Site, merged, key=key, environment=environment)
        return SiteEntry(site, place) if site else None

    def _with_ci(self, server: Server) -> Server:
        """Who may log in is one question for all environments on the machine."""
        for environment in self.ci:
            wrong = checks.ci_keys(environment, self.ci, server)
            self._refuse_each(self.environments[environment], wrong)
        if not self.ci or not server.host:
            return server
        host = server.host.model_copy(update={"ci": self.ci})
        return server.model_copy(update={"host": host})

    def _check_machine(
        self, server: Server, issuers: dict[str, Issuer], entries: list[SiteEntry]
    ) -> None:
        self._refuse_each(self.all, checks.missing_files(server, issuers))
        self.problems += checks.reachable_logins(server, entries)
        for message in checks.overcommitted_memory(server, entries):
            self._refuse(self.all, ("servers", server.name), message)

    def _shape(self, source: YamlFile, below: KeyPath = ()) -> Shape:
        return Shape(
            self.root, lambda path, message: self._refuse(source, (*below, *path), message)
        )

    def _refuse(self, source: YamlFile, path: KeyPath, message: str) -> None:
        self.problems.append(source.problem(path, message))

    def _refuse_each(self, source: YamlFile, wrong: Iterable[tuple[KeyPath, str]]) -> None:
        for path, message in wrong:
            self._refuse(source, path, message)


def _mapping(source: YamlFile, key: str) -> dict[str, Any]:
    """Its value; empty if that is no mapping, which `Shape` reports."""
    value = source.data.get(key)
    return value if isinstance(value, dict) else {}


def _merged(defaults: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    """`own` on top of `defaults`, mapping by mapping; a list replaces a list."""
    result = defaults | own
    for key in defaults.keys() & own.keys():
        if isinstance(defaults[key], dict) and isinstance(own[key], dict):
            result[key] = _merged(defaults[key], own[key])
    return result
