"""A small application, released twice and rolled back, with the commands that an operator types."""

import shlex
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from stagecraft.settings import Site

APP = Path(__file__).parent / "demo_app"
SOURCE = Path(".stagecraft/demo")
"""Its repository, which each demo makes anew."""

RELEASE = ".venv/bin/stagecraft release local"
ROLLBACK = ".venv/bin/stagecraft rollback local"
EDIT = f"sed -i 's/Version 1/Version 2/' {SOURCE}/public/index.php"
COMMIT = f"git -C {SOURCE} commit --quiet --all --message 'Version 2'"


def released_from_here(site: Site) -> bool:
    """A team's own app is not for the demo to release."""
    return site.app is not None and Path(site.app.source) == SOURCE


def show(visit: Callable[[], str]) -> None:
    """`visit` returns what a visitor sees. Raises subprocess.CalledProcessError if a command
    fails, which has said why."""
    make_repository()
    for commands in ([RELEASE], [EDIT, COMMIT, RELEASE], [ROLLBACK]):
        for command in commands:
            print(f"\n$ {command}", flush=True)
            subprocess.run(shlex.split(command), check=True)
        print(f"--> A visitor sees: {visit()}", flush=True)


def make_repository() -> None:
    shutil.rmtree(SOURCE, ignore_errors=True)
    shutil.copytree(APP, SOURCE)
    for words in (
        ["init", "--quiet", "--initial-branch=main"],
        ["config", "user.name", "Anna"],
        ["config", "user.email", "anna@askpro.test"],
        ["add", "."],
        ["commit", "--quiet", "--message=Version 1"],
    ):
        subprocess.run(["git", "-C", SOURCE, *words], check=True)
