"""When services loaded their configuration, and which code they run that is not installed."""

from collections import defaultdict
from dataclasses import dataclass, field

from stagecraft.facts.reading import Fact, rows


@dataclass(frozen=True)
class Processes:
    """`loaded` is when the masters of nginx and PHP-FPM read their configuration, by unit, in
    seconds since the epoch; systemd does not see signals from others, and workers are replaced
    without a reload. `deleted` are programs and libraries in use that an upgrade replaced;
    `foreign` are those of no package. `variables` (`NAME=value`) name such code in services'
    environments, but are not set by the unit or systemd now."""

    loaded: dict[str, float] = field(default_factory=dict)
    deleted: dict[str, frozenset[str]] = field(default_factory=dict)
    foreign: dict[str, frozenset[str]] = field(default_factory=dict)
    variables: dict[str, frozenset[str]] = field(default_factory=dict)


class ProcessesFact(Fact[Processes]):
    def process(self, output: list[str]) -> Processes:
        found: defaultdict[str, dict[str, frozenset[str]]] = defaultdict(dict)
        for kind, unit, value in rows(output, 3):
            found[kind][unit] = found[kind].get(unit, frozenset()) | {value}
        return Processes(
            loaded={unit: max(map(float, moments)) for unit, moments in found["loaded"].items()},
            deleted=found["deleted"],
            foreign=found["foreign"],
            variables=found["variable"],
        )
