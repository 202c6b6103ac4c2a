"""The configuration that services would load now, and its last change."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

from stagecraft.errors import ServerError
from stagecraft.facts.reading import Fact, rows
from stagecraft.services import NGINX


@dataclass(frozen=True)
class Configuration:
    """`loads` maps each unit to what it would load, with ctimes in seconds since the epoch (a
    rename keeps mtime). A directory, with a trailing slash, represents all of its files, so that a
    removal counts as a change. `sums` are checksums of nginx's files."""

    loads: dict[str, dict[str, float]] = field(default_factory=dict)
    sums: dict[str, str] = field(default_factory=dict)

    def complete(self, units: Collection[str]) -> Self:
        """This. Raises ServerError if the script failed on the server, so that there is nothing
        about one of the running units."""
        if set(units) - self.loads.keys() or (NGINX in units and not self.sums):
            raise ServerError("configuration.sh failed on the server")
        return self


class ConfigurationFact(Fact[Configuration]):
    def command(self, loads: Mapping[str, Sequence[str]]) -> str:
        lines = "\n".join(" ".join([unit, *paths]) for unit, paths in loads.items())
        return self.script(loads=lines)

    def process(self, output: list[str]) -> Configuration:
        found = Configuration()
        for kind, value, path in rows(output, 3):
            if kind == "sum":
                found.sums[path] = value
            else:
                found.loads.setdefault(kind, {})[path] = float(value)
        return found
