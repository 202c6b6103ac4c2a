"""Which configuration services would load now, and when it last changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from stagecraft.facts.names import rows
from stagecraft.facts.reading import Fact


@dataclass(frozen=True)
class Configuration:
    """`loads` is what each unit would load, and when it last changed in any way (ctime: a rename
    keeps mtime), in seconds since the epoch. A directory, with a slash at its end, stands for all
    of its files: one that is removed changes it. `sums` are those of nginx's files."""

    loads: dict[str, dict[str, float]] = field(default_factory=dict)
    sums: dict[str, str] = field(default_factory=dict)


def parse_configuration(output: Sequence[str]) -> Configuration:
    """Reads what `configuration.sh` prints."""
    found = Configuration()
    for kind, value, path in rows(output, 3):
        if kind == "sum":
            found.sums[path] = value
        else:
            found.loads.setdefault(kind, {})[path] = float(value)
    return found


class ConfigurationFact(Fact[Configuration]):
    """The `Configuration` of nginx, and of the units that load these files and directories."""

    parse = staticmethod(parse_configuration)

    def command(self, loads: Mapping[str, Sequence[str]]) -> str:
        lines = "\n".join(" ".join([unit, *paths]) for unit, paths in loads.items())
        return self.script(loads=lines)
