"""Sites, machines and secrets to try things on, and what the tasks would write to a server.

Everything is a fixture: tests/servers has a conftest too, so nobody can import this one by name.
"""

from __future__ import annotations

import importlib
import os
import runpy
import signal
import subprocess
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from inspect import isfunction
from pathlib import Path
from pkgutil import iter_modules
from runpy import run_path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from pyinfra.api.facts import FactBase
from pyinfra.api.operation import OperationMeta
from pyinfra.context import ctx_host

from stagecraft import render
from stagecraft.facts.access import CurrentAccess
from stagecraft.facts.machine import DISTRIBUTION_VERSIONS, Machine, version_tuple
from stagecraft.manifest import Manifest
from stagecraft.on_server import site as on_server_site
from stagecraft.operations.files import Checker
from stagecraft.operations.nodes import File, Node
from stagecraft.operations.packages import Installed
from stagecraft.run import Run
from stagecraft.secrets import Secret
from stagecraft.settings import Environment, Server, Site
from stagecraft.settings.read import ISSUERS
from tasks.nightly import Nightly, units

# What a team overrides is no matter of these tests.
render.OVERRIDES = Path("nothing-overridden")

UNIT_TESTS = Path(__file__).parent
GUARD = UNIT_TESTS / "guarded/sitecustomize.py"
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
    # pytest-xdist asks all conftest.py about each test.
    if item.get_closest_marker("team_files") or UNIT_TESTS not in item.path.parents:
        return (yield)
    with guarded():
        return (yield)


@pytest.fixture(autouse=True)
def handler_of_sigterm() -> Iterator[None]:
    """An action on a server ignores SIGTERM at its end, and programs inherit that from tests."""
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


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


Answers = dict[type[FactBase[Any]], Any]


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> Answers:
    """What a server answers to the nightly check, by fact; a test fills it in."""
    given: Answers = {}
    host = SimpleNamespace(get_fact=lambda fact, **_: given[fact])
    monkeypatch.setattr("stagecraft.drift.looking.server.host", host)
    return given


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
    checks: list[Checker] = field(default_factory=list)
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
        site: str = "",
        check: Checker | None = None,
        user: str = "root",
        **_: Any,
    ) -> None:
        self.trees += [f"{tree}-{site}" if site else tree] if tree else []
        self.nodes += nodes
        self.checks += [check] if check else []
        self.writers |= {node.path: user for node in nodes}

    def installed(self, **given: Any) -> Installed:
        self.call(**given)
        return Installed((), OperationMeta("none", is_change=False))

    def call(self, **arguments: Any) -> None:
        self.calls.append(SimpleNamespace(**arguments))
        if access := arguments.get("access"):
            self.tree(nodes=access.nodes, check=access.check)
            self.passing += [
                node for node in access.transition(CurrentAccess()) if isinstance(node, File)
            ]


def is_operation(value: Any) -> bool:
    if not isfunction(value) or not value.__module__.startswith("stagecraft.operations"):
        return False
    plain = ("tree", "running", "installed", "root_owns_releases")
    return hasattr(value, "_inner") or value.__name__ in plain


@pytest.fixture
def this_run() -> Iterator[Run]:
    """The run on a host of which nothing else is known."""
    run = Run(Manifest("staging"))
    data = SimpleNamespace(stagecraft_run=run)
    with ctx_host.use(SimpleNamespace(name="a", data=data, current_op_hash="an operation")):
        yield run


class SecretRun(Run):
    """One with secrets that nobody has written down."""

    make: Callable[[Site], dict[str, Secret]]

    @cached_property
    def secrets(self) -> dict[str, dict[str, Secret]]:
        return {site.key: self.make(site) for site in self.environment.sites}


def listen(module: ModuleType, written: Written, monkeypatch: pytest.MonkeyPatch) -> None:
    """Has the operations that the module calls only take notes."""
    for name, value in list(vars(module).items()):
        if is_operation(value):
            monkeypatch.setattr(module, name, getattr(written, value.__name__, written.call))
        elif isinstance(value, ModuleType) and value.__name__.startswith("stagecraft.op"):
            listen(value, written, monkeypatch)
        elif hasattr(value, "_inner") and value.__module__.startswith("tasks."):
            monkeypatch.setattr(module, name, undecorated(value._inner))


def undecorated(deploy: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *arguments, _ignore_errors=False: deploy(*arguments)


def bare_host(environment: Environment, run: Run) -> SimpleNamespace:
    """What pyinfra's `host` is to a run."""
    data = SimpleNamespace(
        environment=environment.model_dump(mode="json"),
        root=".",
        only_plans=True,
        login={"ssh_port": environment.server.ssh_port, "ssh_keys": [""]},
        get=lambda *_: None,
        stagecraft_run=run,
    )
    return SimpleNamespace(
        name=environment.server.name,
        data=data,
        connector=None,
        print_prefix="",
        get_fact=lambda fact, **_: fact.default(),
    )


@pytest.fixture
def write(
    monkeypatch: pytest.MonkeyPatch, make_secrets: Callable[[Site], dict[str, Secret]]
) -> Callable[[Environment, Machine], Written]:
    """Runs deploy.py on a bare server, with operations that only take notes."""
    tasks = [importlib.import_module(f"tasks.{name}") for _, name, _ in iter_modules(["tasks"])]

    def run(environment: Environment, machine: Machine) -> Written:
        written = Written()
        monkeypatch.undo()
        for module in tasks:
            listen(module, written, monkeypatch)
        monkeypatch.setattr("tasks.machine.machine", lambda _: machine)
        monkeypatch.setattr("stagecraft.secrets.made_of", lambda *_: {})
        known = SecretRun()
        known.make = make_secrets
        with ctx_host.use(bare_host(environment, known)):
            run_path("deploy.py")
        check = Nightly("/srv/stagecraft", ("inventories/staging.py",))
        written.tree(nodes=units(check))
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


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> on_server_site.Site:
    """A site as the server's program knows it, with directories of its own."""
    monkeypatch.setattr(on_server_site, "STATE", tmp_path / "state")
    monkeypatch.setattr(on_server_site, "LOGS", tmp_path / "logs")
    monkeypatch.setattr("stagecraft.on_server.lock.SERVER", tmp_path / "run")
    home = tmp_path / "shop-staging"
    (home / "releases").mkdir(parents=True)
    (home / "builds").mkdir()
    (home / "current").symlink_to("releases/placeholder")
    return on_server_site.Site(
        name="shop-staging",
        home=home,
        domain="shop.test",
        health="/health",
        php="/usr/bin/php8.4",
        php_fpm="php-fpm@shop-staging.service",
        build=[],
        configure=[],
        migrate="",
        migrator=tmp_path / "migrator.cnf",
        shared=[],
        keep=2,
        workers=[],
    )
