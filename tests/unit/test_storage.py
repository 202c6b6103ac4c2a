"""Compiled views go with their release, and only they."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from stagecraft.on_server.storage import REMOVE


@pytest.mark.parametrize(
    ("views", "stay"),
    [
        ([], set()),
        (["20261130-120000-abc1234"], {"20261130-120000-abc1234"}),
        (["20261130-110000-abc1234", "mine"], {"mine"}),
    ],
)
def test_views_of_removed_releases_go(tmp_path: Path, views: list[str], stay: set[str]) -> None:
    compiled, releases = tmp_path / "views", tmp_path / "releases"
    (releases / "20261130-120000-abc1234").mkdir(parents=True)
    compiled.mkdir()
    for name in views:
        (compiled / name).mkdir()
    command = ["sh", "-euc", REMOVE, "remove", str(compiled), str(releases)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert {path.name for path in compiled.iterdir()} == stay
