"""What a run need not work out or load, and that pyinfra's results stay the same."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from pyinfra.api import util

from stagecraft.connection.optimizations import VARIABLE
from stagecraft.faster_pyinfra import order

ROOT = Path(__file__).parents[2]

ADOPT = """
from importlib import import_module
import pyinfra_cli.main
from pyinfra.api import arguments, connectors
from stagecraft.faster_pyinfra import adopt, order
adopt()
names = vars(import_module("pyinfra.api.operation"))["solve_operation_consistency"].__globals__
for _ in range(2):
    arguments.all_global_arguments()
    connectors.get_all_connectors()
print(
    names["get_operation_order_from_stack"] is order,
    hasattr(arguments.get_type_hints, "cache_info") and arguments.get_type_hints.cache_info().hits,
    hasattr(connectors.entry_points, "cache_info") and connectors.entry_points.cache_info().hits,
)
"""

CONFIGURE = """
import runpy, sys
import pyinfra_cli.main
from pyinfra.api.config import Config
from pyinfra.context import ctx_config
ctx_config.set(Config())
sys.dont_write_bytecode = True
runpy.run_path("config.py")
print(sys.dont_write_bytecode)
"""

OWN = {"stagecraft", "tasks"}

BEYOND_PYINFRA = {
    *("pydantic", "pydantic_core", "annotated_types", "typing_inspection"),  # the settings
    "pyrage",  # secrets
}
"""The packages that a plan loads and pyinfra does not: each costs every run its time."""

OF_OTHER_COMMANDS = (
    *(f"stagecraft.{name}" for name in ("command", "drift", "init", "release", "secrets.command")),
    "lab",
)


def python(code: str) -> str:
    command = [sys.executable, "-c", code]
    return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout


def imports(file: str) -> str:
    """The import statements of a file."""
    tree = ast.parse((ROOT / file).read_text())
    found = [n for n in ast.walk(tree) if isinstance(n, ast.Import | ast.ImportFrom)]
    return "\n".join(map(ast.unparse, found))


@pytest.mark.parametrize("verb", [__file__, None, "elsewhere.py"])
def test_operations_have_the_order_that_pyinfra_gives_them(
    verb: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pyinfra.is_cli", True)
    state = SimpleNamespace(current_deploy_filename=verb, current_op_file_number=3)
    ours, theirs = (function(state) for function in (order, util.get_operation_order_from_stack))
    assert ours == theirs
    assert len(ours) > 1 or verb == "elsewhere.py"


def test_pyinfra_works_out_once_what_stays_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    assert python(ADOPT) == "True 1 1\n"


def test_pyinfra_stays_as_it_is_where_it_is_told_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "nodelay,shell,prefetch")
    assert python(ADOPT) == "False False False\n"


def test_a_plan_loads_what_it_needs() -> None:
    loads = (
        f"{imports('config.py')}\n{imports('deploy.py')}\nimport stagecraft.connection.connector"
    )
    told = python(
        "import sys, pyinfra_cli.main\nbefore = set(sys.modules)\n"
        f"{loads}\nprint(*(set(sys.modules) - before))"
    )
    loaded = set(told.split())
    packages = {name.partition(".")[0] for name in loaded if not name.startswith("_")}
    assert packages - sys.stdlib_module_names - OWN - {"pyinfra"} == BEYOND_PYINFRA
    assert not {name for name in loaded if name.startswith(OF_OTHER_COMMANDS)}


@pytest.mark.parametrize(("told", "keeps"), [("", True), ("1", False)])
def test_what_python_compiles_of_ours_is_kept(
    told: str, keeps: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """pyinfra has nothing kept, for deploy.py and the like, of which nothing ever is."""
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", told)
    assert python(CONFIGURE) == f"{not keeps}\n"
