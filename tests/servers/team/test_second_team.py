"""A second team: after `stagecraft init` its settings are right, the tests still pass, and a newer
version merges without a conflict, whatever the team has made its own."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from project import REPOSITORY
from provisioned import STATE

from lab.lab import Lab
from lab.server import LabServer
from stagecraft.init.command import OWNED

MADE_HERE = shutil.ignore_patterns(
    ".git", ".venv", ".stagecraft", "*.egg-info", "__pycache__", ".*_cache"
)
A_TEAMS = (*OWNED, "keys", "overrides", "known_hosts", "known_records", "waivers.yml")

TEMPLATE = "logs/logrotate.conf.j2"

SITE = "  blog: {domain: blog.test, tls: {issuer: selfsigned}}\n"

STEP = """\
from stagecraft.operations import files
from stagecraft.operations.nodes import Directory

def after_app(site):
    files.tree(name="Make /srv/x", tree=f"own-{site.name}", nodes=[Directory(f"/srv/{site.name}")])
"""


def git(directory: Path, *arguments: str) -> str:
    who = ["-c", "user.name=anna", "-c", "user.email=anna@shop.de"]
    done = subprocess.run(
        ["git", *who, *arguments], cwd=directory, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def commit(directory: Path, message: str) -> None:
    git(directory, "add", "--all")
    git(directory, "commit", "--quiet", f"--message={message}")


def write_engine(directory: Path) -> None:
    """This repository without what is a team's, as a clone of Stagecraft has it."""
    shutil.copytree(
        REPOSITORY, directory, ignore=not_the_engines, symlinks=True, dirs_exist_ok=True
    )
    for name in ("group_data", "inventories"):
        (directory / name).symlink_to(f"example/{name}")


def not_the_engines(directory: str, names: list[str]) -> set[str]:
    a_teams = A_TEAMS if Path(directory) == REPOSITORY else ()
    return MADE_HERE(directory, names) | {name for name in names if name in a_teams}


def write_first_with_init(directory: Path) -> None:
    """The same as of the commit that brought `init`, where the history is at hand."""
    added = ["log", "--diff-filter=A", "--format=%H", "--", "stagecraft/init/command.py"]
    try:
        first = git(REPOSITORY, *added).split()[-1]
        archive = subprocess.run(
            ["git", "archive", first], cwd=REPOSITORY, capture_output=True, check=True
        )
    except (AssertionError, IndexError, subprocess.CalledProcessError):
        return write_engine(directory)
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as files:
        return files.extractall(directory, filter="tar")


@pytest.fixture(scope="module")
def server(lab: Lab) -> Iterator[LabServer]:
    yield lab.boot("team")
    lab.down("team")


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory, lab: Lab, server: LabServer) -> Path:
    """A clone of an earlier version that is a team's own, with a newer one merged."""
    engine, team = (tmp_path_factory.mktemp("git") / name for name in ("engine", "shop"))
    engine.mkdir()
    write_first_with_init(engine)
    git(engine, "init", "--quiet", "--initial-branch=main")
    commit(engine, "An earlier version")
    git(engine.parent, "clone", "--quiet", str(engine), str(team))
    made = run(
        team,
        *("-m", "stagecraft", "init", "--site=shop", "--domain=shop.test", "--admin=anna"),
        *(f"--address={server.name}", "--email=ops@shop.de", "--no-bootstrap"),
        f"--key={lab.directory / 'key.pub'}",
    )
    assert made.returncode == 0, made.stderr
    own(team, lab)
    commit(team, "Our own")

    for path in engine.iterdir():
        if path.name != ".git":
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    write_engine(engine)
    for path in [*(engine / "example").rglob("*.*"), engine / "README.md", engine / "deploy.py"]:
        path.write_text(f"{path.read_text()}# newer\n")
    commit(engine, "A newer version")
    git(team, "pull", "--quiet", "--no-rebase", "--no-edit")
    return team


def own(team: Path, lab: Lab) -> None:
    """What a team does with its clone."""
    machines = team / "group_data/all.yml"
    address = "    address: team\n"
    assert address in machines.read_text()
    ssh_config = f"{address}    ssh_config: {lab.ssh_config}\n"
    machines.write_text(machines.read_text().replace(address, ssh_config, 1))
    with (team / "group_data/staging.yml").open("a") as staging:
        staging.write(SITE)
    secret = run(team, "-m", "stagecraft", "secret", "staging")
    assert secret.returncode == 0, secret.stderr
    (team / "overrides" / TEMPLATE).parent.mkdir(parents=True)
    text = (team / "templates" / TEMPLATE).read_text()
    (team / "overrides" / TEMPLATE).write_text(f"{text}# ours\n")
    (team / "overrides/own.py").write_text(STEP)


def run(clone: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    variables = {"PYTHONPATH": str(clone), "STAGECRAFT_IDENTITY": str(STATE / "key")}
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=clone,
        env=os.environ | variables,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_newer_version_merges_without_a_conflict(clone: Path) -> None:
    assert git(clone, "status", "--porcelain") == ""
    assert git(clone, "log", "-1", "--format=%p").count(" ") == 1
    assert not (clone / "group_data").is_symlink()
    assert (clone / "README.md").read_text().endswith("# newer\n")
    assert "askpro" not in (clone / "group_data/all.yml").read_text()


def test_its_settings_are_right(clone: Path) -> None:
    result = run(clone, "-m", "stagecraft", "settings")
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout == "No problem in the settings of local, production, staging\n"


def test_the_plan_has_what_is_its_own(clone: Path) -> None:
    pyinfra = str(Path(sys.executable).with_name("pyinfra"))
    result = run(clone, pyinfra, "--dry", "inventories/staging.py", "deploy.py")
    assert result.returncode == 0, result.stdout + result.stderr
    shown = result.stdout + result.stderr
    assert f", from overrides/{TEMPLATE}" in shown
    assert "overrides/own.py | Make /srv/x" in shown
    assert "blog-staging" in shown


def test_the_unit_tests_that_read_its_files_pass(clone: Path) -> None:
    """The others are kept from them."""
    options = ("-q", "-p", "no:cacheprovider", "-m", "team_files")
    result = run(clone, "-m", "pytest", *options, "tests/unit")
    assert result.returncode == 0, result.stdout[-5000:]
