"""A tag for each release that visitors see."""

import shlex
from collections.abc import Sequence
from datetime import UTC, datetime

import click

from stagecraft.harmless import harmless_lines
from stagecraft.release.person import Person
from stagecraft.release.source import Source, git
from stagecraft.settings import Site

PATIENCE = 60
"""Seconds for a push, which must not hang at the end of a release."""


def tag(source: Source, site: Site, by: Person, *, push: bool) -> None:
    """Tags the commit in its repository. Only warns of problems, because the release is good."""
    name = f"release/{site.environment}/{datetime.now(UTC):%Y-%m-%d-%H%M%S}"
    author = ["-c", f"user.name={by.name or by.email}", "-c", f"user.email={by.email}"]
    message = f"Released to {site.domain} by {by}"
    steps = [[*author, "tag", "--annotate", f"--message={message}", name, source.commit]]
    if push:
        steps.append(["push", "--quiet", "--", source.remote, f"refs/tags/{name}"])
    while steps:
        try:
            git(source.repository, *steps[0], timeout=PATIENCE)
        except click.ClickException as error:
            warn(error.message, source, steps)
            return
        del steps[0]
    click.echo(f"Tagged {name}{', and pushed it' * push}")


def warn(problem: str, source: Source, left: Sequence[Sequence[str]]) -> None:
    by_hand = [shlex.join(["git", "-C", str(source.repository), *words]) for words in left]
    click.echo(
        f"Warning: the release is good, but its tag is not: {harmless_lines(problem)}\n"
        + "To make it by hand:\n"
        + "\n".join(f"  {harmless_lines(line)}" for line in by_hand),
        err=True,
    )
