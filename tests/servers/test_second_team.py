"""A second team: after the README's own steps, its settings are right and the tests still pass."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from project import REPOSITORY

from stagecraft import age

LEFT_BEHIND = (".git", ".venv", ".stagecraft", "*.egg-info", "__pycache__", ".*_cache")

SITE = """\
server: {server}
sites:
  shop:
    domain: {domain}
    tls: {{email: ops@shop.de}}
    secrets: [STRIPE_KEY]
"""


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """This repository as the README says: own recipients and sites, a third environment, and
    nothing left of the sample."""
    root = tmp_path_factory.mktemp("clone") / "shop"
    shutil.copytree(REPOSITORY, root, ignore=shutil.ignore_patterns(*LEFT_BEHIND))
    for directory in ("group_data", "inventories", "secrets"):
        for path in (root / directory).glob("*"):
            if path.name not in ("all.yml", "local.py"):
                path.unlink()
    age.make_identity(root / ".stagecraft/ci")
    all_yml = root / "group_data/all.yml"
    recipients = f"recipients: [{age.recipient_of(root / '.stagecraft/ci')}]"
    all_yml.write_text(all_yml.read_text().replace("recipients: []", recipients))
    server = next(iter(yaml.safe_load(all_yml.read_text())["servers"]))
    (root / "group_data/local.yml").write_text(
        "server: local\nsites:\n  shop: {domain: shop.test, tls: {issuer: selfsigned}}\n"
    )
    for name, domain in (("staging", "staging.shop.de"), ("live", "shop.de"), ("qa", "qa.shop.de")):
        (root / f"group_data/{name}.yml").write_text(SITE.format(server=server, domain=domain))
        (root / f"inventories/{name}.py").write_text(
            f'from stagecraft.inventory import load\n\n{name} = load("{name}")\n'
        )
    return root


def run(clone: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=clone,
        env=os.environ | {"PYTHONPATH": str(clone), "STAGECRAFT_IDENTITY": ".stagecraft/ci"},
        input="sk_live\n",
        capture_output=True,
        text=True,
        check=False,
    )


def test_its_settings_are_right(clone: Path) -> None:
    result = run(clone, "-m", "stagecraft", "settings")
    assert (result.returncode, result.stdout) == (
        0,
        "No problem in the settings of live, local, qa, staging\n",
    )


def test_its_secrets_can_be_made(clone: Path) -> None:
    assert run(clone, "-m", "stagecraft", "secret", "qa", "shop", "STRIPE_KEY").returncode == 0
    result = run(clone, "-m", "stagecraft", "secret", "qa")
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines()[-2] == "secrets/qa.yml: complete"
    assert run(clone, "-m", "stagecraft", "settings").returncode == 0


def test_the_unit_tests_that_read_its_files_pass(clone: Path) -> None:
    """The others are kept from them."""
    options = ("-q", "-p", "no:cacheprovider", "-m", "team_files")
    result = run(clone, "-m", "pytest", *options, "tests/unit")
    assert result.returncode == 0, result.stdout[-5000:]
