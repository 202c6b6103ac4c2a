"""The configuration that services would load now, and its last change."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from stagecraft.facts.reading import Fact, rows


@dataclass(frozen=True)
class Configuration:
    """`loads` maps each unit to what it would load, with ctimes in seconds since the epoch (a
    rename keeps mtime). A directory, with a trailing slash, represents all of its files, so that a
    removal counts as a change. `sums` are checksums of nginx's files."""

    loads: dict[str, dict[str, float]] = field(default_factory=dict)
    sums: dict[str, str] = field(default_factory=dict)


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
