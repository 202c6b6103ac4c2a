"""`stagecraft settings`: checks a team's files, without a server or a key."""

import ast
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import click

from stagecraft.drift.judging.waivers import read_waivers
from stagecraft.nearest import did_you_mean
from stagecraft.project import OVERRIDES, environments, here
from stagecraft.render import TEMPLATES
from stagecraft.secrets.file import SecretsFile
from stagecraft.settings import SettingsError, read
from stagecraft.yaml_files import Location, Problem


@click.command()
def settings() -> None:
    """Checks the team's files: group_data/, inventories/, secrets/, overrides/, waivers.yml and
    accepted.yml.

    Needs no server and no key.
    """
    root = here()
    if problems := list(_problems(root)):
        raise SettingsError(problems)
    click.echo(f"No problem in the settings of {', '.join(environments(root))}")


def _problems(root: Path) -> Iterator[Problem]:
    names = environments(root)
    for environment in names or ["staging"]:
        yield from _wrong(partial(read, environment, root))
    for path in sorted((root / "inventories").glob("*.py")):
        yield from _wrong_inventory(path, root, names)
    for path in sorted((root / "secrets").glob("*.yml")):
        yield from _wrong(partial(SecretsFile, path, root))
    for path in sorted((root / OVERRIDES).glob("*.py")):
        yield from _wrong(partial(_parsed, path, root))
    yield from _overriding_nothing(root)
    yield from _wrong(partial(read_waivers, root, datetime.now(UTC).date()))


def _wrong(reading: Callable[[], object]) -> list[Problem]:
    try:
        reading()
    except SettingsError as error:
        return error.problems
    return []


def _wrong_inventory(path: Path, root: Path, names: list[str]) -> Iterator[Problem]:
    """Without running it: that would need the secrets, and a throwaway server to be running."""
    try:
        tree = _parsed(path, root)
    except SettingsError as error:
        yield from error.problems
        return
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Name(id="load"), args=[ast.Constant(value=str(name)), *_]):
                if name not in names:
                    hint = did_you_mean(name, names)
                    message = f"there is no group_data/{name}.yml{hint}"
                    yield Problem(Location(str(path.relative_to(root)), node.lineno), message)


def _parsed(path: Path, root: Path) -> ast.Module:
    file = str(path.relative_to(root))
    try:
        return ast.parse(path.read_bytes())
    except SyntaxError as error:
        message = f"this cannot be read: {error.msg}"
        raise SettingsError([Problem(Location(file, error.lineno or 0), message)]) from None


def _overriding_nothing(root: Path) -> Iterator[Problem]:
    """Templates that neither replace one of ours nor are used by a step."""
    steps = "".join(path.read_text(errors="replace") for path in (root / OVERRIDES).glob("*.py"))
    ours = [str(path.relative_to(TEMPLATES)) for path in TEMPLATES.rglob("*.j2")]
    for path in sorted((root / OVERRIDES).rglob("*.j2")):
        template = str(path.relative_to(root / OVERRIDES))
        if template not in ours and template not in steps:
            message = f"there is no templates/{template}"
            yield Problem(
                Location(str(path.relative_to(root))), message + did_you_mean(template, ours)
            )
