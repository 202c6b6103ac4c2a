"""What is fetched to build, test and check is named by its hash."""

from __future__ import annotations

import ast
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pytest
import yaml

from stagecraft.release.command import release
from stagecraft.settings import REPOSITORY

LOCKS = sorted(REPOSITORY.glob("*.lock"))
WORKFLOWS = sorted((REPOSITORY / ".github/workflows").glob("*.yml"))

HASHED = re.compile(r"([\w-]+==\S+)( ; .*)?( \\\n +--hash=sha256:[0-9a-f]{64})+\n( +# .*\n)*")


def names(requirements: list[str]) -> set[str]:
    return {re.split(r"[^\w-]", requirement)[0] for requirement in requirements}


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_a_lock_file_has_hashes_and_no_addresses(lock: Path) -> None:
    assert HASHED.sub("", lock.read_text()) == ""


def test_the_lock_files_have_what_builds_and_what_locks() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
    locked = {
        lock.name: {match[1].split("==")[0] for match in HASHED.finditer(lock.read_text())}
        for lock in LOCKS
    }
    groups = project["dependency-groups"]
    assert names(project["build-system"]["requires"]) == locked["requirements-build.lock"]
    assert names(groups["build"]) == locked["requirements-build.lock"]
    assert names(groups["uv"]) == locked["requirements-uv.lock"]
    assert names(groups["judges"]) <= locked["requirements-judges.lock"]
    tools = names(project["project"]["optional-dependencies"]["dev"])
    assert tools <= locked["requirements-dev.lock"]
    assert not tools & locked["requirements.lock"]
    assert names(project["project"]["dependencies"]) <= locked["requirements.lock"]


def test_what_runs_is_the_same_with_the_tools_for_developing() -> None:
    locked = {
        lock: {match[1] for match in HASHED.finditer((REPOSITORY / lock).read_text())}
        for lock in ("requirements.lock", "requirements-dev.lock")
    }
    assert locked["requirements.lock"] <= locked["requirements-dev.lock"]


def imported(file: Path) -> set[str]:
    """The modules that it names, each by its first word."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.partition(".")[0])
    return found


def test_what_is_imported_is_declared() -> None:
    """But for programs that a server's own Python runs, with what is there."""
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    files = [f for top in ("stagecraft", "tasks") for f in (REPOSITORY / top).rglob("*.py")]
    files = [file for file in files if file.parent.name != "on_server"]
    foreign = set().union(*map(imported, [*files, *REPOSITORY.glob("*.py")]))
    foreign -= {*sys.stdlib_module_names, "stagecraft", "tasks"}
    distributions = packages_distributions()
    declared = names(project["dependencies"])
    for module in foreign:
        providers = {name.lower().replace("_", "-") for name in distributions[module]}
        assert providers & declared, f"{module} is imported, and not declared"


def test_one_module_knows_paramiko() -> None:
    """pyinfra is going to replace it."""
    files = [*REPOSITORY.glob("*.py"), *(REPOSITORY / "stagecraft").rglob("*.py")]
    files += (REPOSITORY / "tasks").rglob("*.py")
    users = [file.relative_to(REPOSITORY) for file in files if "paramiko" in imported(file)]
    assert users == [Path("stagecraft/connection/ssh.py")]


def commands(*targets: str) -> list[str]:
    """What make would run, whatever is there already."""
    result = subprocess.run(
        ["make", "--dry-run", "--always-make", *targets],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    return result.stdout.splitlines()


def test_pip_installs_what_is_locked_and_fetches_nothing_else() -> None:
    installs = [line for line in commands(".venv/developing", "lock") if "pip install" in line]
    hashed = "--require-hashes --no-build-isolation -r "
    assert [line.partition("install --quiet ")[2] for line in installs] == [
        f"{hashed}requirements-build.lock",
        f"{hashed}requirements.lock",
        "--no-deps --no-build-isolation --editable .",
        f"{hashed}requirements-dev.lock",
        f"{hashed}requirements-build.lock",
        f"{hashed}requirements-judges.lock",
        f"{hashed}requirements-uv.lock",
    ]


def test_this_package_is_built_without_fetching_anything(tmp_path: Path) -> None:
    for name in ("pyproject.toml", "README.md", "LICENSE", "stagecraft"):
        (tmp_path / name).symlink_to(REPOSITORY / name)
    into = tmp_path / "installed"
    options = ["--no-index", "--no-deps", "--no-build-isolation", "--target", str(into)]
    subprocess.run(
        [sys.executable, "-m", "pip", "install", "--quiet", *options, str(tmp_path)], check=True
    )
    (entry_points,) = into.glob("stagecraft-*.dist-info/entry_points.txt")
    assert "[pyinfra.connectors]\nstagecraft = " in entry_points.read_text()


def test_nothing_else_fetches() -> None:
    """Debian's packages are signed; everything from elsewhere comes through a lock file."""
    files = [REPOSITORY / "Makefile", *(REPOSITORY / ".ci").iterdir(), *WORKFLOWS]
    fetching = re.compile(r"\b(curl|wget|npm|npx|pipx|uvx|git clone|docker pull|pip download)\b")
    found = [
        f"{file.name}: {line}"
        for file in files
        for line in file.read_text().splitlines()
        if fetching.search(line) or ("pip install" in line and file.name != "Makefile")
    ]
    assert not found


def test_actions_and_images_are_named_by_hash_and_tell_their_version() -> None:
    pinned = re.compile(
        r"(uses: \S+@[0-9a-f]{40} # v\d+\.\d+\.\d+|image: \S+@sha256:[0-9a-f]{64} # \S+)"
    )
    lines = [
        line.strip().removeprefix("- ")
        for workflow in WORKFLOWS
        for line in workflow.read_text().splitlines()
        if re.match(r"\s*(- )?(uses|image):", line)
    ]
    assert [line for line in lines if not pinned.fullmatch(line)] == []
    assert lines


def test_the_weekly_job_admits_a_newer_pyinfra(tmp_path: Path) -> None:
    workflow = yaml.safe_load((REPOSITORY / ".github/workflows/ci.yml").read_text())
    steps = workflow["jobs"]["newest-pyinfra"]["steps"]
    lines = [line for step in steps for line in step.get("run", "").splitlines()]
    for name in ("pyproject.toml", "config.py"):
        shutil.copy(REPOSITORY / name, tmp_path)
    edits = [line for line in lines if line.startswith("sed ")]
    subprocess.run(["sh", "-ec", "\n".join(edits)], cwd=tmp_path, check=True)
    project = tomllib.loads((tmp_path / "pyproject.toml").read_text())["project"]
    assert "pyinfra" in project["dependencies"]
    assert "REQUIRE_PYINFRA_VERSION" not in (tmp_path / "config.py").read_text()


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda workflow: workflow.name)
def test_a_workflow_has_least_rights(workflow: Path) -> None:
    data: dict[str, Any] = yaml.safe_load(workflow.read_text())
    assert data["permissions"] == {"contents": "read"}
    for job in data["jobs"].values():
        assert "permissions" not in job
        steps = [step for step in job["steps"] if "actions/checkout@" in step.get("uses", "")]
        assert all(step["with"]["persist-credentials"] is False for step in steps)
        assert steps


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda workflow: workflow.name)
def test_secrets_come_from_an_environment_that_can_be_limited_to_a_branch(workflow: Path) -> None:
    data: dict[str, Any] = yaml.safe_load(workflow.read_text())
    for job in data["jobs"].values():
        assert ("secrets." in str(job)) == ("environment" in job)


@pytest.mark.parametrize(
    "judge",
    [["zizmor", "--offline"], ["check-jsonschema", "--builtin-schema=vendor.github-workflows"]],
)
def test_judges_find_nothing_in_the_workflows(judge: list[str]) -> None:
    program = Path(sys.prefix, "judges/bin", judge[0])
    command = [str(program), *judge[1:], *map(str, WORKFLOWS)]
    verdict = subprocess.run(command, capture_output=True, text=True)
    assert verdict.returncode == 0, verdict.stdout + verdict.stderr


CALLED = [path for path in WORKFLOWS if path.stem in ("staging", "production")]


@pytest.mark.parametrize("workflow", CALLED, ids=lambda workflow: workflow.name)
def test_a_release_starts_only_when_an_application_calls_it(workflow: Path) -> None:
    data: dict[Any, Any] = yaml.safe_load(workflow.read_text())
    assert [*data[True]] == ["workflow_call"]  # in YAML 1.1, `on` is a boolean
    job = data["jobs"]["release"]
    assert job["environment"] == workflow.stem
    assert job["concurrency"] == f"stagecraft-{workflow.stem}"
    assert ("if" in job) == (workflow.stem == "production")


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda workflow: workflow.name)
def test_no_shell_gets_words_of_others(workflow: Path) -> None:
    """What GitHub puts into a script before a shell reads it."""
    data: dict[str, Any] = yaml.safe_load(workflow.read_text())
    scripts = [step.get("run", "") for job in data["jobs"].values() for step in job["steps"]]
    assert not [script for script in scripts if "${{" in script]


@pytest.mark.parametrize("workflow", CALLED, ids=lambda workflow: workflow.name)
def test_a_workflow_gives_a_command_that_there_is(
    workflow: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "group_data").mkdir()
    (tmp_path / f"group_data/{workflow.name}").touch()
    monkeypatch.chdir(tmp_path)
    data: dict[str, Any] = yaml.safe_load(workflow.read_text())
    (script,) = (s["run"] for s in data["jobs"]["release"]["steps"] if s.get("name") == "Release")
    words = shlex.split(script.splitlines()[-1])[2:]
    context = release.make_context("release", words)
    assert context.params["environment"] == workflow.stem
    assert context.params["ref"] == "$GITHUB_REF_NAME"
    assert context.params["ci"]
    assert context.params["confirm"] in (None, "production")
