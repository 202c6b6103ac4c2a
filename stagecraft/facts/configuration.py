"""The configuration that services would load now, and its last change."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from stagecraft.errors import ServerError
from stagecraft.facts.names import rows
from stagecraft.facts.reading import Fact
from stagecraft.services import NGINX


@dataclass(frozen=True)
class Configuration:
    """`loads` maps each unit to what it would load, with ctimes in seconds since the epoch (a
    rename keeps mtime). A directory, with a trailing slash, represents all of its files, so that a
    removal counts as a change. `sums` are checksums of nginx's files."""

    loads: dict[str, dict[str, float]] = field(default_factory=dict)
    sums: dict[str, str] = field(default_factory=dict)

    def complete(self, units: Collection[str]) -> Configuration:
        """This. Raises ServerError if the script failed on the server, so that there is nothing
        about one of the running units."""
        if set(units) - self.loads.keys() or (NGINX in units and not self.sums):
            raise ServerError("configuration.sh failed on the server")
        return self


def parse_configuration(output: Sequence[str]) -> Configuration:
    found = Configuration()
    for kind, value, path in rows(output, 3):
        if kind == "sum":
            found.sums[path] = value
        else:
            found.loads.setdefault(kind, {})[path] = float(value)
    return found


class ConfigurationFact(Fact[Configuration]):
    """For nginx, and for the units that load the given files and directories."""

    parse = staticmethod(parse_configuration)

    def command(self, loads: Mapping[str, Sequence[str]]) -> str:
        lines = "\n".join(" ".join([unit, *paths]) for unit, paths in loads.items())
        return self.script(loads=lines)
