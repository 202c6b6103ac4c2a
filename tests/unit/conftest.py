"""Sites, machines and secrets to try things on, and what the tasks would write to a server.

Everything is a fixture: tests/servers has a conftest too, so nobody can import this one by name.
"""

from __future__ import annotations

import importlib
import os
import runpy
import subprocess
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from inspect import isfunction
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from pyinfra.api.facts import FactBase
from pyinfra.api.operation import OperationMeta

from stagecraft import render
from stagecraft.facts.access import Ways
from stagecraft.facts.machine import DISTRIBUTION_VERSIONS, Machine, version_tuple
from stagecraft.facts.neighbours import Neighbours
from stagecraft.manifest import Manifest
from stagecraft.operations.files import Check
from stagecraft.operations.nodes import File, Node
from stagecraft.operations.packages import Installed
from stagecraft.secrets import Secret
from stagecraft.settings import Environment, Host, Server, Site
from stagecraft.settings.read import ISSUERS

# What a team overrides is no matter of these tests.
render.OVERRIDES = Path("nothing-overridden")

GUARD = Path(__file__).with_name("guarded") / "sitecustomize.py"
runpy.run_path(str(GUARD))


@contextmanager
def guarded() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(GUARD.parent), prepend=os.pathsep)
        yield


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, Any, Any]:
    with guarded():
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, Any, Any]:
    if item.get_closest_marker("team_files"):
        return (yield)
    with guarded():
        return (yield)


@pytest.fixture
def make_site() -> Callable[..., Site]:
    def make(key: str = "askpro", environment: str = "staging", **settings: Any) -> Site:
        defaults = {"domain": f"{key}.{environment}.test", "tls": {"issuer": "selfsigned"}}
        return Site.model_validate(defaults | settings | {"key": key, "environment": environment})

    return make


@pytest.fixture
def site(make_site: Callable[..., Site]) -> Site:
    return make_site()


@pytest.fixture
def make_environment() -> Callable[..., Environment]:
    def make(*sites: Site, **settings: Any) -> Environment:
        server = Server(name="askpro-1", address="203.0.113.10")
        values = {"name": sites[0].environment, "server": server, "issuers": ISSUERS} | settings
        return Environment.model_validate(values | {"sites": list(sites)})

    return make


@pytest.fixture
def make_machine() -> Callable[..., Machine]:
    def make(version: str = "13", **values: Any) -> Machine:
        shipped = DISTRIBUTION_VERSIONS[version]
        defaults: dict[str, Any] = {
            "uid": 0,
            "distribution": "debian",
            "version": version,
            "architecture": "amd64",
            "memory_mb": 2048,
            "ipv6": True,
            "nginx": version_tuple(shipped["nginx"]),
            "openssl": version_tuple(shipped["openssl"]),
        }
        return Machine(**defaults | values)

    return make


@pytest.fixture(params=["12", "13"], ids=["debian12", "debian13"])
def machine(request: pytest.FixtureRequest, make_machine: Callable[..., Machine]) -> Machine:
    return make_machine(request.param)


@pytest.fixture
def make_secrets() -> Callable[[Site], dict[str, Secret]]:
    def make(site: Site) -> dict[str, Secret]:
        """Each with a value that no text contains by chance."""
        return {
            key: Secret(f"the-{key}-of-{site.name}".lower())
            for key in [*site.generated_secrets, *site.given_secrets]
        }

    return make


@dataclass
class Written:
    """What a deploy would do: the nodes of its trees and who writes them, the arguments of all
    else. `passing` are files that stand for the time of an operation."""

    passing: list[File] = field(default_factory=list)
    nodes: list[Node] = field(default_factory=list)
    checks: list[Check] = field(default_factory=list)
    calls: list[SimpleNamespace] = field(default_factory=list)
    writers: dict[str, str] = field(default_factory=dict)
    trees: list[str] = field(default_factory=list)

    @property
    def files(self) -> list[File]:
        return [node for node in self.nodes if isinstance(node, File)]

    def file(self, path: str) -> File:
        return next(file for file in self.files if file.path == path)

    def tree(
        self,
        *,
        nodes: list[Node],
        tree: str = "",
        check: Check | None = None,
        user: str = "root",
        **_: Any,
    ) -> None:
        self.trees += [tree] if tree else []
        self.nodes += nodes
        self.checks += [check] if check else []
        self.writers |= {node.path: user for node in nodes}

    def call(self, **arguments: Any) -> None:
        self.calls.append(SimpleNamespace(**arguments))
        if access := arguments.get("access"):
            self.tree(nodes=access.nodes, check=access.check)
            self.passing += [node for node in access.transition(Ways()) if isinstance(node, File)]


class TakesNotes:
    """Stands in for one of pyinfra's modules of operations."""

    def __init__(self, note: Callable[..., None]) -> None:
        self.note = note

    def __getattr__(self, name: str) -> Callable[..., None]:
        return self.note


def is_operation(value: Any) -> bool:
    if not isfunction(value) or not value.__module__.startswith("stagecraft.operations"):
        return False
    plain = ("tree", "running", "installed", "root_owns_releases")
    return hasattr(value, "_inner") or value.__name__ in plain


HOST = ("access", "accounts", "fail2ban", "sshd", "system", "upgrades")
"""The tasks of a machine that is declared with `host`."""


@pytest.fixture
def write(
    monkeypatch: pytest.MonkeyPatch, make_secrets: Callable[[Site], dict[str, Secret]]
) -> Callable[[Environment, Machine], Written]:
    """Runs the tasks in deploy.py's order, with operations that only take notes."""
    names = (
        "app",
        "database",
        "logs",
        "nginx",
        "nightly",
        "packages",
        "php_fpm",
        "reach",
        "redis",
        "tls",
        *HOST,
    )
    tasks = {name: importlib.import_module(f"tasks.{name}") for name in names}

    def listen(module: ModuleType, written: Written) -> None:
        for name, value in list(vars(module).items()):
            if is_operation(value):
                note = written.tree if value.__name__ == "tree" else written.call
                monkeypatch.setattr(module, name, note)
            elif isinstance(value, ModuleType) and value.__name__.startswith("stagecraft.op"):
                listen(value, written)
            elif isinstance(value, ModuleType) and value.__name__.startswith("pyinfra.op"):
                monkeypatch.setattr(module, name, TakesNotes(written.call))

    def keep_host(server: Server, settings: Host, machine: Machine) -> None:
        bare = SimpleNamespace(
            name=server.name,
            data=SimpleNamespace(
                login={"ssh_port": server.ssh_port, "ssh_keys": [""]}, only_plans=True
            ),
            get_fact=lambda fact, **_: fact.default(),
        )
        for name in HOST:
            monkeypatch.setattr(tasks[name], "host", bare, raising=False)
        monkeypatch.setattr(tasks["access"], "manifest", lambda: Manifest("staging"))
        tasks["accounts"].admit._inner(settings)
        tasks["sshd"].host_keys._inner(machine)
        tasks["sshd"].unix_sockets._inner()
        tasks["access"].access._inner(server, settings, machine)
        tasks["accounts"].turn_away._inner(settings)
        tasks["fail2ban"].fail2ban._inner(server.ssh_port)
        tasks["upgrades"].upgrades._inner(settings.upgrades)
        tasks["system"].identity._inner(server, settings, machine)
        tasks["system"].journal._inner(settings)
        tasks["system"].kernel._inner()
        tasks["system"].core_dumps._inner()
        tasks["system"].swap._inner(settings, machine)

    def run(environment: Environment, machine: Machine) -> Written:
        written = Written()
        monkeypatch.undo()
        for module in tasks.values():
            listen(module, written)
        for name in ("database", "packages"):
            monkeypatch.setattr(tasks[name], "manifest", lambda: Manifest(environment.name))
        neighbours = Neighbours()
        secrets = {site.key: make_secrets(site) for site in environment.sites}
        nothing_installed = Installed((), OperationMeta("none", is_change=False))
        tasks["packages"].packages._inner(environment, machine, neighbours)
        if environment.server.host:
            keep_host(environment.server, environment.server.host, machine)
        tasks["database"].database_server._inner(environment.server.database, machine, neighbours)
        for site in environment.sites:
            tasks["app"].app._inner(site)
            tasks["app"].app_settings._inner(site, secrets[site.key], [])
            tasks["reach"].reach._inner(site, environment.server)
            tasks["database"].database._inner(environment, site, secrets[site.key])
            tasks["redis"].redis._inner(site, secrets[site.key])
            tasks["logs"].logs._inner(site)
            tasks["php_fpm"].php_fpm._inner(site, machine, nothing_installed)
        tasks["tls"].first_certificates._inner(environment)
        tasks["nginx"].nginx._inner(machine, neighbours)
        for site in environment.sites:
            tasks["nginx"].vhost._inner(site, machine, neighbours, secrets[site.key])
        tasks["nginx"].run_nginx._inner(environment, [])
        tasks["tls"].acme_certificates._inner(environment)
        check = tasks["nightly"].Nightly("/srv/stagecraft", ("inventories/staging.py",))
        written.tree(nodes=tasks["nightly"].units(check))
        return written

    return run


Shell = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """A command in sh on this machine, with the commands of `stand_in` before the real ones."""

    def run(
        *arguments: str, stdin: str = "", **environment: str
    ) -> subprocess.CompletedProcess[str]:
        search = f"{tmp_path / 'stand-ins'}:{os.environ['PATH']}"
        return subprocess.run(
            ["sh", "-c", *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=30,
            env=os.environ | {"PATH": search} | environment,
        )

    return run


@pytest.fixture
def stand_in(tmp_path: Path) -> Callable[[str, str], None]:
    """Puts a shell script in the place of a command."""

    def put(command: str, script: str) -> None:
        path = tmp_path / "stand-ins" / command
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    return put


@pytest.fixture
def read_here(shell: Shell) -> Callable[..., Any]:
    """What a fact says of this machine."""

    def read(kind: type[FactBase[Any]], **arguments: Any) -> Any:
        fact = kind()
        output = shell(fact.command(**arguments)).stdout.splitlines()
        return fact.process(output) if output else fact.default()

    return read
