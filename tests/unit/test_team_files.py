"""`stagecraft settings`: one command that finds every mistake in a team's own files."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from stagecraft.settings import REPOSITORY


@pytest.fixture
def team(tmp_path: Path) -> Path:
    shutil.copytree(
        REPOSITORY / "stagecraft",
        tmp_path / "stagecraft",
        ignore=shutil.ignore_patterns("__pycache__"),
    )
    for directory in ("group_data", "inventories", "secrets"):
        (tmp_path / directory).mkdir()
    (tmp_path / "group_data/all.yml").write_text(
        "servers:\n"
        "  one: {address: a.test}\n"
        "  local: {address: b.test, throwaway: true, host: {admins: {anna: [made/later.pub]}}}\n"
    )
    for name, server in (("staging", "one"), ("qa", "one"), ("local", "local")):
        site = f"{{domain: {name}.shop.test, tls: {{issuer: selfsigned}}}}"
        (tmp_path / f"group_data/{name}.yml").write_text(
            f"server: {server}\nsites:\n  shop: {site}\n"
        )
        (tmp_path / f"inventories/{name}.py").write_text(
            f'from stagecraft.inventory import load\n\n{name} = load("{name}")\n'
        )
    return tmp_path


def check(root: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "stagecraft", "settings"],
        cwd=root,
        env=os.environ | {"PYTHONPATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )


def test_what_is_right(team: Path) -> None:
    result = check(team)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout == "No problem in the settings of local, qa, staging\n"


def test_every_mistake_is_named_with_file_and_line(team: Path) -> None:
    (team / "group_data/qa.yml").write_text(
        "server: onee\nsites:\n  shop: {domain: qa.shop.test, tls: {issuer: selfsigned}, phpp: x}\n"
    )
    (team / "group_data/local.yml").write_text("server: local\nsites: {Shop: {}}\n")
    (team / "inventories/local.py").write_text(
        "from stagecraft.inventory import load\n\nx = load('lokal')\n"
    )
    (team / "inventories/old.py").write_text("x = load(\n")
    (team / "secrets/staging.yml").write_text("shop:\n  APP_KEY: in clear\n")
    (team / "waivers.yml").write_text("one unmanaged package htop:\n  reason: x\n  owner: anna\n")
    result = check(team)
    assert (result.returncode, result.stdout) == (1, "")
    assert "Traceback" not in result.stderr
    assert [line.strip().split(": ")[:2] for line in result.stderr.splitlines()[1:]] == [
        ["group_data/local.yml:2", "sites.Shop"],
        ["group_data/local.yml:2", "sites.Shop.domain"],
        ["group_data/qa.yml:1", "server"],
        ["group_data/qa.yml:3", "sites.shop.phpp"],
        ["inventories/local.py:3", "there is no group_data/lokal.yml; did you mean 'local'?"],
        ["inventories/old.py:1", "this cannot be read"],
        ["secrets/staging.yml:2", "shop.APP_KEY"],
        ["waivers.yml:1", "one unmanaged package htop.until"],
    ]


def test_overrides_that_override_nothing(team: Path) -> None:
    shutil.copytree(REPOSITORY / "templates/redis", team / "templates/redis")
    (team / "overrides/cron").mkdir(parents=True)
    (team / "overrides/redis").mkdir()
    (team / "overrides/redis/redis.conf.j2").touch()
    (team / "overrides/cron/site.j2").touch()
    (team / "overrides/cron.py").write_text("file('/etc/cron.d/x', 'cron/site.j2')\n")
    assert check(team).returncode == 0
    (team / "overrides/redis/redis.cnf.j2").touch()
    (team / "overrides/own.py").write_text("\ndef after_app(site:\n")
    lines = [line.strip() for line in check(team).stderr.splitlines()[1:]]
    assert lines[0].startswith("overrides/own.py:2: this cannot be read: ")
    assert lines[1] == (
        "overrides/redis/redis.cnf.j2: there is no templates/redis/redis.cnf.j2;"
        " did you mean 'redis/redis.conf.j2'?"
    )


def test_environments_that_collide(team: Path) -> None:
    (team / "group_data/qa.yml").write_text((team / "group_data/staging.yml").read_text())
    assert "staging.shop.test is taken" in check(team).stderr


def test_no_environment_at_all(team: Path) -> None:
    for path in (team / "group_data").glob("*.yml"):
        path.unlink()
    assert "group_data/all.yml: there is no such file: it names the servers" in check(team).stderr
