"""How certbot renews certificates: its settings of each, which may contain commands."""

from collections.abc import Sequence
from typing import NamedTuple

from stagecraft.facts.reading import Fact, rows


class Setting(NamedTuple):
    """`section` is empty above the first one."""

    section: str
    key: str
    value: str


def settings(text: str) -> list[Setting]:
    section, found = "", list[Setting]()
    for line in map(str.strip, text.splitlines()):
        if line.startswith("["):
            section = line.strip("[] ")
        elif line and not line.startswith("#"):
            key, _, value = line.partition("=")
            found.append(Setting(section, key.strip(), value.strip()))
    return found


class RenewalsFact(Fact[dict[str, list[Setting]]]):
    """The settings by certificate, of those that certbot has."""

    def command(self, names: Sequence[str]) -> str:
        return self.script(names=" ".join(names))

    def process(self, output: list[str]) -> dict[str, list[Setting]]:
        return {name: settings(text) for name, text in rows(output, 2)}
