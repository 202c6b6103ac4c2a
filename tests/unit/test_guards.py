"""What must hold of every task, operation and file, whoever writes the next one."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import isolation
import pytest
from pyinfra.api.arguments import all_global_arguments
from pyinfra.api.operation import OperationMeta

import stagecraft.operations
from stagecraft.facts.machine import Machine
from stagecraft.operations.files import Written
from stagecraft.operations.nodes import Directory, File, Link
from stagecraft.services import Services
from stagecraft.settings import Environment, Server, Site
from stagecraft.settings.models import AptSource, Issuer
from stagecraft.settings.read import ISSUERS

ROOT = Path(__file__).parents[2]
SOURCES = [ROOT / "deploy.py", *sorted((ROOT / "tasks").glob("*.py"))]

STOCK_OPERATIONS = {"pyinfra.operations.files.file"}
"""pyinfra's operations that we rely on: tried, and without change the second time."""

ALWAYS_CHANGE = {"touch", "restarted", "reloaded", "daemon_reload", "update", "upgrade", "force"}
"""Arguments by which stock operations act on every run."""

OCTAL = re.compile(r"[0-7]{3,4}")


# --- What the tests read --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "reading",
    [
        "open('group_data/all.yml')",
        "__import__('os').listdir('secrets')",
        "__import__('glob').glob('inventories/*.py')",
        "__import__('pathlib').Path('tests/../waivers.yml').read_text()",
        "__import__('runpy').run_path('inventories/staging.py')",
    ],
)
def test_a_unit_test_reads_nothing_of_the_team_s(
    monkeypatch: pytest.MonkeyPatch, reading: str
) -> None:
    monkeypatch.chdir(ROOT)
    with pytest.raises(AssertionError, match="which is the team's own"):
        eval(reading)
    program = [sys.executable, "-c", reading]
    assert b"which is the team's own" in subprocess.run(program, capture_output=True).stderr


# --- What the tasks call --------------------------------------------------------------------------


@dataclass(frozen=True)
class Call:
    """A call of an operation, and where it is written."""

    operation: Any
    arguments: dict[str, ast.expr]
    place: str

    @property
    def origin(self) -> str:
        return f"{self.operation.__module__}.{self.operation.__name__}"

    @property
    def is_stock(self) -> bool:
        return self.origin.startswith("pyinfra.")


def is_operation(value: Any) -> bool:
    return hasattr(value, "_inner") and hasattr(value, "is_idempotent")


def makes_operations(value: Any) -> bool:
    """Whether it is one, or a function of ours that calls one by the name it is given."""
    ours = inspect.isfunction(value) and value.__module__.startswith("stagecraft.operations.")
    returned = inspect.signature(value).return_annotation if ours else ""
    return is_operation(value) or returned in (Written, OperationMeta)


def calls(source: str, name: str, own_names: Mapping[str, Any] | None = None) -> Iterator[Call]:
    """The calls that make operations in a module, found by what its names stand for."""
    tree = ast.parse(source)
    names = {**imported(tree), **(own_names or {})}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and makes_operations(called := meaning(node.func, names)):
            arguments = {keyword.arg or "**": keyword.value for keyword in node.keywords}
            yield Call(called, arguments, f"{name}:{node.lineno}")


def imported(tree: ast.Module) -> dict[str, Any]:
    """What the module's imports bring; deploy.py cannot be run without a server."""
    imports = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    names: dict[str, Any] = {}
    exec(compile(ast.Module(imports, []), "imports", "exec"), names)
    return names


def meaning(expression: ast.expr, names: dict[str, Any]) -> Any:
    """What `files.tree` or `running` stands for; None for anything that no import brought."""
    if isinstance(expression, ast.Name):
        return names.get(expression.id)
    if isinstance(expression, ast.Attribute):
        return getattr(meaning(expression.value, names), expression.attr, None)
    return None


def wrong(call: Call) -> Iterator[str]:
    """What makes a call unfit for a plan that one can believe."""
    if "**" in call.arguments:
        yield "is given arguments that nobody can read here"
    if "name" not in call.arguments:
        yield "has no name: pyinfra would print its arguments, secrets among them"
    if not getattr(call.operation, "is_idempotent", True):
        yield "changes something on every run"
    if call.is_stock and call.origin not in STOCK_OPERATIONS:
        yield "is not among the stock operations known to change nothing on a second run"
    for name in call.arguments:
        if name in ALWAYS_CHANGE:
            yield f"is told to act on every run: {name}"
        if name in ("_if", "_run_once", "_ignore_errors", "_serial"):
            yield f"is not in a plan what it is in a run: {name}"
    mode = call.arguments.get("mode")
    if mode and not (isinstance(mode, ast.Constant) and OCTAL.fullmatch(str(mode.value))):
        yield "has a mode that is no octal text"


def own_modules() -> list[ModuleType]:
    found = pkgutil.iter_modules(list(stagecraft.operations.__path__))
    return [importlib.import_module(f"stagecraft.operations.{module.name}") for module in found]


TASKS = [call for path in SOURCES for call in calls(path.read_text(), path.name)]
WITHIN = [
    call
    for module in own_modules()
    for call in calls(inspect.getsource(module), module.__name__, vars(module))
]


def test_the_guards_see_the_tasks_operations() -> None:
    places = {call.place.partition(":")[0] for call in TASKS}
    tasks = {"app.py", "database.py", "nginx.py", "packages.py", "php_fpm.py", "reach.py"}
    tasks |= {"redis.py", "tls.py"}
    assert places >= tasks


@pytest.mark.parametrize("call", [*TASKS, *WITHIN], ids=lambda call: call.place)
def test_every_operation_is_named_and_changes_nothing_the_second_time(call: Call) -> None:
    assert list(wrong(call)) == []


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("files.tree(tree='x', nodes=[])", "no name"),
        ("running(unit='x')", "no name"),
        ("server.shell(name='x', commands=[])", "on every run"),
        ("server.script(name='x', src='x')", "on every run"),
        ("stock.rsync(name='x', src='x', dest='x')", "on every run"),
        ("stock.file(name='x', path='x', touch=True)", "act on every run: touch"),
        ("systemd.service(name='x', service='x', restarted=True)", "act on every run: restarted"),
        ("systemd.daemon_reload(name='x')", "on every run"),
        ("apt.packages(name='x', update=True)", "act on every run: update"),
        ("apt.ppa(name='x', src='x')", "not among the stock operations"),
        ("python.call(name='x', function=print)", "on every run"),
        ("server.user(name='x', user='x', mode='u+x')", "no octal text"),
        ("server.user(name='x', user='x', _if=print)", "what it is in a run"),
        ("server.user(**values)", "nobody can read"),
    ],
)
def test_what_must_not_be_written_is_found(line: str, reason: str) -> None:
    imports = """
from pyinfra.operations import apt, python, server, systemd
from pyinfra.operations import files as stock
from stagecraft.operations import files
from stagecraft.operations.services import running
"""
    [call] = calls(f"{imports}def task():\n    {line}\n", "sample")
    assert any(reason in text for text in wrong(call))


# --- Our own operations ---------------------------------------------------------------------------


def own_operations() -> list[Any]:
    return [
        value
        for module in own_modules()
        for value in vars(module).values()
        if is_operation(value) and value.__module__ == module.__name__
    ]


@pytest.mark.parametrize("operation", own_operations(), ids=lambda value: value.__name__)
def test_no_parameter_of_ours_shadows_one_of_pyinfra_s(operation: Any) -> None:
    reserved = {name.lstrip("_") for name, _ in all_global_arguments()} | {"host", "state"}
    assert {"name", "sudo", "env"} <= reserved
    parameters = set(inspect.signature(operation._inner).parameters)
    assert not {name for name in parameters if name.startswith("_")}
    assert not parameters & reserved


@pytest.mark.parametrize("operation", own_operations(), ids=lambda value: value.__name__)
def test_our_operations_say_what_they_ensure(operation: Any) -> None:
    assert operation.is_idempotent
    assert re.search(r"^Ensures |^What `\w+` ensures", operation.__doc__ or "")


# --- What lands on disk ---------------------------------------------------------------------------


@pytest.fixture
def environment(make_site: Any, make_environment: Any, tmp_path: Path) -> Environment:
    """Everything that puts one more file on a server."""
    bundle = tmp_path / "ca.pem"
    bundle.write_text("certificate\n")
    key = "-----BEGIN PGP PUBLIC KEY BLOCK-----\n"
    source = AptSource(uris=["https://archive.test/"], suites=["x"], key=key, pin=100)
    server = Server(name="askpro-1", address="203.0.113.10", apt_sources={"sury": source})
    site: Site = make_site(
        tls={"issuer": "company"}, protect={"basic_auth": ["qa"]}, secrets=["RETELL_API_KEY"]
    )
    company = Issuer(directory="https://acme.test/", ca_bundle=str(bundle))
    issuers = ISSUERS | {"company": company}
    made: Environment = make_environment(site, make_site("shop"), server=server, issuers=issuers)
    return made


def test_every_path_has_its_owner_group_and_mode(
    write: Callable[[Environment, Machine], Any],
    environment: Environment,
    machine: Machine,
) -> None:
    nodes = write(environment, machine).nodes
    assert {type(node) for node in nodes} >= {File, Directory, Link}
    for node in nodes:
        if isinstance(node, File | Directory):
            assert node.user and node.group, node.path
            assert OCTAL.fullmatch(node.mode), node.path
            assert not int(node.mode, 8) & 0o022, f"{node.path} is writable to others"
        assert node.path.startswith("/") and "/../" not in node.path


def test_a_file_with_a_secret_is_marked_and_closed(
    write: Callable[[Environment, Machine], Any],
    environment: Environment,
    machine: Machine,
    make_secrets: Callable[[Site], dict[str, Any]],
) -> None:
    secrets = {
        secret.reveal() for site in environment.sites for secret in make_secrets(site).values()
    }
    for file in write(environment, machine).files:
        if any(secret in file.content for secret in secrets):
            assert file.secret, f"--diff would show {file.path}"
        if file.secret:
            assert not int(file.mode, 8) & 0o007, f"{file.path} is readable to all"


def test_no_site_s_name_makes_its_tree_that_of_another(
    write: Any, make_site: Any, make_environment: Any, make_machine: Any
) -> None:
    """Each would take away the other's files: a site may be called `logs-askpro`."""
    site = make_site()
    written = write(make_environment(site), make_machine())
    prefixes = {tree.removesuffix(site.name) for tree in written.trees if site.name in tree}
    assert len(prefixes) > 8
    for prefix in prefixes:
        assert not [tree for tree in prefixes if tree != prefix and tree.startswith(prefix)]


MARK = "Managed by Stagecraft"


def test_what_a_site_writes_beside_others_is_claimed(
    write: Any, make_site: Any, make_environment: Any, make_machine: Any
) -> None:
    """A run is refused where somebody else's file stands there."""
    site = make_site()
    beside = {
        file.path
        for file in write(make_environment(site), make_machine()).files
        if site.name in Path(file.path).name and MARK in file.content.partition("\n")[0]
        if "stagecraft" not in file.path
    }
    assert beside == set(Services(site.name).files)


# --- What the README says -------------------------------------------------------------------------


def test_the_readme_shows_the_matrix_that_is_tried() -> None:
    lines = (ROOT / "README.md").read_text().splitlines()
    start = lines.index("| staging tries to | what stops it |")
    shown = lines[start : lines.index("", start)]
    assert shown == isolation.markdown()
