"""`secrets/<environment>.yml`: each value encrypted on its own, so a diff shows which changed."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from tempfile import NamedTemporaryFile
from textwrap import indent
from typing import Any

from stagecraft import age
from stagecraft.secrets.masked import Secret
from stagecraft.sources import Problem, SettingsError, Source, read_yaml

HEADER = """\
# Encrypted with age, value by value, for the `recipients` of group_data/all.yml.
# Written by secret.py: `.venv/bin/python secret.py --help`
"""


class SecretsFile:
    """The encrypted values of one environment, by site and key."""

    def __init__(self, path: Path, root: Path) -> None:
        """Reads the file, if there is one. Raises SettingsError when it is none of ours."""
        self.path = path
        self.source = read_yaml(path, root) if path.exists() else Source(_name(path, root))
        self.armor: dict[str, dict[str, str]] = _checked(self.source)

    def has(self, site: str, key: str) -> bool:
        return key in self.armor.get(site, {})

    def set(self, site: str, key: str, value: Secret, recipients: Sequence[str]) -> None:
        """Encrypts `value` for the recipients; the file changes with `write`."""
        self.armor.setdefault(site, {})[key] = age.encrypt(value.reveal(), recipients)

    def get(self, site: str, key: str, keyring: age.Keyring) -> Secret:
        """The value in clear. Raises age.IdentityError when no key of the ring opens it."""
        return Secret(keyring.decrypt(self.armor[site][key]))

    def write(self, mode: int = 0o644) -> None:
        """Replaces the file in one step: a crash leaves the old one or the new one."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with NamedTemporaryFile("w", dir=self.path.parent, prefix=".new-", delete=False) as new:
            try:
                new.write(self._text())
                os.fchmod(new.fileno(), mode)
                Path(new.name).rename(self.path)
            except BaseException:
                Path(new.name).unlink()
                raise

    def _text(self) -> str:
        sites = (_block(site, self.armor[site]) for site in sorted(self.armor))
        return HEADER + "".join(sites)


def _block(site: str, values: dict[str, str]) -> str:
    keys = (f"  {key}: |\n{indent(values[key], '    ')}" for key in sorted(values))
    return f"\n{site}:\n{''.join(keys)}"


def _name(path: Path, root: Path) -> str:
    return str(path.relative_to(root))


def _checked(source: Source) -> dict[str, dict[str, str]]:
    problems = [
        Problem(source.place(path), "is not what secret.py writes: delete it, then set it again")
        for path, value in _leaves(source.data)
        if not isinstance(value, str) or "BEGIN AGE ENCRYPTED FILE" not in value
    ]
    if problems:
        raise SettingsError(problems)
    return source.data


def _leaves(data: dict[str, Any]) -> list[tuple[tuple[str, ...], Any]]:
    return [
        ((site, key), value)
        for site, values in data.items()
        for key, value in (values.items() if isinstance(values, dict) else [("", None)])
    ]
