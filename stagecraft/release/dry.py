"""`--dry`: what a release or a rollback would do, from the server, and which commits that is."""

import json
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from stagecraft.harmless import harmless
from stagecraft.on_server.dry import Plan
from stagecraft.on_server.requirements import FILES
from stagecraft.release.remote import ask
from stagecraft.release.source import Source, git
from stagecraft.settings import Server

MOST = 30
"""Commits that are shown."""


def show_release(
    server: Server, root: Path, words: Sequence[str], source: Source, artifact: Path | None
) -> int:
    """Prints it; 1 if the release would be refused now."""
    with tempfile.TemporaryDirectory() as directory:
        archive = artifact or source.pack(Path(directory) / "release.tar.gz")
        size = archive.stat().st_size
        files = Path(directory) / "files.json"
        files.write_text(json.dumps(source.files(FILES)))
        return show(server, root, [*words, "--size", str(size)], source.repository, files)


def show(
    server: Server,
    root: Path,
    words: Sequence[str],
    repository: Path | None,
    files: Path | None = None,
) -> int:
    plan = Plan(**json.loads(ask(server, root, [*words, "--dry", "--json"], files)))
    click.echo(harmless(f"{plan.site} runs {plan.release}; next: {plan.next[:12]}"))
    lines = [*commits(repository, plan.running, plan.next)] if repository else []
    for line in [*lines, *plan.lines()]:
        click.echo(harmless(line))
    return 1 if plan.problems else 0


def commits(repository: Path, old: str, new: str) -> Iterator[str]:
    """What comes, and what goes, between the two."""
    if not old:
        return
    for title, range in (("Commits that come", f"{old}..{new}"), ("that go", f"{new}..{old}")):
        try:
            listed = git(repository, "log", "--oneline", "--no-decorate", range, "--").splitlines()
        except click.ClickException:
            yield f"Commits: {repository} does not have both {old[:12]} and {new[:12]}"
            return
        if listed or title != "that go":
            yield f"{title}: {len(listed) or 'none'}"
            yield from (f"  {line}" for line in listed[:MOST])
            if len(listed) > MOST:
                yield f"  … and {len(listed) - MOST} more"
