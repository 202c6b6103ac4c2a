"""`secrets/<environment>.yml`: each value is encrypted separately, so a diff shows which changed.

Anybody who can write to the file could swap two values without decrypting them. So each is
encrypted together with a label, its environment, site and key, which is compared on decryption. The
label does not reveal an older value in the same place, but git's history does.
"""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from textwrap import indent

from stagecraft import age
from stagecraft.local_files import write_whole
from stagecraft.secrets.masked import Secret
from stagecraft.yaml_files import SettingsError, YamlFile, read_yaml

HEADER = """\
# Encrypted with age, value by value, for the `recipients` of group_data/all.yml, and each together
# with the name of its place: a value that is moved or copied to another one is refused.
"""
"""The beginning of a file with labels; any other file is from before there were labels. If you
change the text, keep accepting this one."""

COMMAND = ".venv/bin/stagecraft secret"

LABEL = re.compile(r"stagecraft secret: ([a-z0-9-]+ [a-z0-9-]+ [A-Z0-9_]+)")

Name = tuple[str, str]
"""A site and the key of one of its secrets."""


class SecretsFile:
    """The encrypted values of one environment, by site and key."""

    def __init__(self, path: Path, root: Path) -> None:
        """Reads the file if it exists. Raises SettingsError for unexpected content."""
        self.path = path
        self.source = (
            read_yaml(path, root) if path.exists() else YamlFile(str(path.relative_to(root)))
        )
        self.armor: dict[str, dict[str, str]] = _checked(self.source)
        self.is_labelled = not path.exists() or path.read_text().startswith(HEADER)

    def names(self) -> list[Name]:
        return [(site, key) for site, values in self.armor.items() for key in values]

    def has(self, site: str, key: str) -> bool:
        return key in self.armor.get(site, {})

    def set(self, site: str, key: str, value: Secret, recipients: Sequence[str]) -> None:
        """Encrypts `value` for the recipients; `write` writes it to the file."""
        text = f"{self._label(site, key)}\n{value.reveal()}"
        self.armor.setdefault(site, {})[key] = age.encrypt(text, recipients)

    def opened(self, names: Iterable[Name], keyring: age.Keyring) -> dict[Name, Secret]:
        """The decrypted values. Raises age.IdentityError if no key of the ring decrypts one, and
        SettingsError for values that were encrypted for another place, or that lack a label
        although others have one."""
        texts = {name: keyring.decrypt(self.armor[name[0]][name[1]]) for name in names}
        labels_expected = self.is_labelled or any("\n" in text for text in texts.values())
        problems = [
            self.source.problem(name, wrong)
            for name, text in texts.items()
            if (wrong := self._misplaced(name, text, labels_expected))
        ]
        if problems:
            raise SettingsError(problems)
        return {name: Secret(text.rpartition("\n")[2]) for name, text in texts.items()}

    def encrypt_anew(self, names: Iterable[Name], keyring: age.Keyring, to: Sequence[str]) -> None:
        """Encrypts these values again, with labels, for the recipients `to`. Raises as `opened`."""
        for (site, key), value in self.opened(names, keyring).items():
            self.set(site, key, value, to)

    def _label(self, site: str, key: str) -> str:
        return f"stagecraft secret: {self.path.stem} {site} {key}"

    def _misplaced(self, name: Name, text: str, labels_expected: bool) -> str | None:
        """Why the decrypted `text` cannot be the secret `name`; None if it can."""
        label, newline, _ = text.rpartition("\n")
        if label == self._label(*name) or not (newline or labels_expected):
            return None
        remedy = (
            f"restore it (git log -p {self.source.file}), "
            f"or set it again: `{COMMAND} {self.path.stem} {' '.join(name)}`"
        )
        if made_for := LABEL.fullmatch(label):
            return f"this value was encrypted for another place, {made_for[1]}: {remedy}"
        return f"this value does not say which place it was encrypted for: {remedy}"

    def write(self) -> None:
        text = HEADER
        for site, values in sorted(self.armor.items()):
            text += f"\n{site}:\n"
            for key, armor in sorted(values.items()):
                text += f"  {key}: |\n{indent(armor, '    ')}"
        write_whole(self.path, text)
        self.is_labelled = True


def _checked(source: YamlFile) -> dict[str, dict[str, str]]:
    problems = [
        source.problem(
            (site, key), "was not written by `stagecraft secret`: delete it, then set it again"
        )
        for site, values in source.data.items()
        for key, value in (values.items() if isinstance(values, dict) else [("", None)])
        if not isinstance(value, str) or "BEGIN AGE ENCRYPTED FILE" not in value
    ]
    if problems:
        raise SettingsError(problems)
    return source.data
