"""Which configuration nginx and PHP-FPM would load now, and when it last changed."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pyinfra.api.facts import FactBase

from stagecraft.facts.reading import reading

READ_CONFIGURATION = Path(__file__).with_suffix(".sh").read_text()


@dataclass(frozen=True)
class Configuration:
    """When files last changed, in seconds since the epoch (ctime: a rename keeps mtime): each that
    nginx loads, and of PHP's shared ones the newest of each version. `sums` are nginx's files'."""

    nginx: dict[str, float] = field(default_factory=dict)
    php: dict[str, float] = field(default_factory=dict)
    sums: dict[str, str] = field(default_factory=dict)


def parse_configuration(lines: list[str]) -> Configuration:
    """Reads the tab-separated lines of `configuration.sh`."""
    found = Configuration()
    for line in lines:
        kind, value, path = line.split("\t")
        if kind == "sum":
            found.sums[path] = value
        elif kind == "nginx":
            found.nginx[path] = float(value)
        elif kind == "php":
            found.php[path] = float(value)
    return found


class ConfigurationFact(FactBase[Configuration]):
    """The `Configuration`, with what these PHP versions' FPM shares among all its instances."""

    @reading
    def command(self, php: Sequence[str]) -> str:
        return f"php={shlex.quote(' '.join(php))}\n{READ_CONFIGURATION}"

    @staticmethod
    def default() -> Configuration:
        return Configuration()

    def process(self, output: list[str]) -> Configuration:
        return parse_configuration(output)
