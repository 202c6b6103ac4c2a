"""A release's source: a commit of the application, packed."""

import hashlib
import re
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import click

from stagecraft.settings.models import App

MIRRORS = Path(".stagecraft/sources")
"""Clones of the applications whose source is a URL."""

RELEASES = "refs/tags/release/*"


@dataclass(frozen=True)
class Source:
    """A commit in a repository on this machine. `remote` is where tags of it are pushed to."""

    repository: Path
    ref: str
    commit: str
    remote: str

    def pack(self, archive: Path) -> Path:
        """Writes a tar of what git knows at the commit, and of nothing else."""
        git(self.repository, "archive", "--format=tar.gz", f"--output={archive}", self.commit)
        return archive

    def files(self, names: Iterable[str]) -> dict[str, str]:
        """The contents of those that the commit has, as files at its top."""
        listed = git(self.repository, "ls-tree", self.commit).splitlines()
        present = {line.partition("\t")[2] for line in listed if line.startswith("100")}
        return {
            name: git(self.repository, "show", f"{self.commit}:{name}")
            for name in names
            if name in present
        }


def find(app: App, ref: str | None, root: Path) -> Source:
    """The commit of the ref. Raises click.ClickException."""
    repository, wanted = repository_of(app.source, root), ref or app.ref
    if wanted.startswith("-"):
        raise click.ClickException(f"{wanted} is no branch, tag or commit")
    found = meanings(repository, wanted)
    if not found:
        raise click.ClickException(f"{app.source} has no branch, tag or commit {wanted}")
    if len(set(found.values())) > 1:
        listed = ", ".join(f"{name} ({commit[:7]})" for name, commit in found.items())
        raise click.ClickException(f"{wanted} can mean {listed}: say which one")
    commit = next(iter(found.values()))
    return Source(repository, wanted, commit, remote_of(app.source, root))


def meanings(repository: Path, wanted: str) -> dict[str, str]:
    """The commits that it can mean, by names without a second meaning. git itself would prefer a
    tag, and anything to an abbreviated commit: whoever may push one would choose what is released.
    """
    branches = (f"refs/heads/{wanted}", f"refs/remotes/origin/{wanted}")
    branch = next(filter(partial(commit_of, repository), branches), "")
    names = [branch, f"refs/tags/{wanted}"]
    if ABBREVIATED.fullmatch(wanted):
        names += git(repository, "rev-parse", f"--disambiguate={wanted}").splitlines()
    found = {name: commit for name in names if (commit := name and commit_of(repository, name))}
    if found and not wanted.startswith("refs/"):
        return found
    commit = commit_of(repository, wanted)
    return {wanted: commit} if commit else {}


ABBREVIATED = re.compile("[0-9a-f]{4,40}")


def commit_of(repository: Path, name: str) -> str:
    """Empty if there is none."""
    try:
        return git(repository, "rev-parse", "--verify", "--quiet", f"{name}^{{commit}}")
    except click.ClickException:
        return ""


def remote_of(source: str, root: Path) -> str:
    return "origin" if (root / source).is_dir() else source


def repository_of(source: str, root: Path) -> Path:
    """A checkout as it is; a URL's mirror, brought up to date."""
    checkout = root / source
    if checkout.is_dir():
        return checkout
    if "://" not in source and ":" not in source:
        raise click.ClickException(f"there is no checkout {source}: see app.source in group_data/")
    mirror = root / MIRRORS / hashlib.sha256(source.encode()).hexdigest()[:16]
    if mirror.is_dir():
        fetch = ["fetch", "--quiet", "--no-tags"]
        git(mirror, *fetch, "--prune", "origin", "+refs/*:refs/*", f"^{RELEASES}")
        git(mirror, *fetch, "origin", f"+{RELEASES}:{RELEASES}")  # ours, unless pushed, stay
    else:
        mirror.parent.mkdir(parents=True, exist_ok=True)
        git(root, "clone", "--quiet", "--mirror", "--", source, str(mirror))
    return mirror


def git(repository: Path, *words: str, timeout: float | None = None) -> str:
    """What git prints of the objects themselves: whoever may push `refs/replace/` could put another
    commit in the place of one. Raises click.ClickException with what git complains of."""
    command = ["git", "--no-replace-objects", "-C", str(repository), *words]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", timeout=timeout
        )
    except subprocess.TimeoutExpired:
        raise click.ClickException(f"git {words[0]} took more than {timeout} seconds") from None
    if done.returncode:
        complaint = done.stderr.strip() or f"git {words[0]} failed in {repository}"
        raise click.ClickException(complaint)
    return done.stdout.strip()
