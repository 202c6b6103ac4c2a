"""What `make demo` releases."""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path

import pytest

from lab import demo_releases


def test_the_second_version_is_what_the_shown_commands_make(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for _ in range(2):  # a demo begins anew
        demo_releases.make_repository()
        for command in (demo_releases.EDIT, demo_releases.COMMIT):
            subprocess.run(shlex.split(command), check=True)
        show = ["git", "-C", demo_releases.SOURCE, "show"]
        pages = [
            subprocess.run([*show, f"{commit}:public/index.php"], capture_output=True, text=True)
            for commit in ("HEAD^", "HEAD")
        ]
        assert [page.stdout.strip().splitlines()[-1] for page in pages] == [
            "Version 1",
            "Version 2",
        ]
