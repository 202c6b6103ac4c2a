"""When services loaded their configuration, and which code they run that is not installed."""

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Self

from stagecraft.errors import ServerError
from stagecraft.facts.reading import Fact, rows


@dataclass(frozen=True)
class Processes:
    """`loaded` is when the masters of nginx and PHP-FPM read their configuration, by unit, in
    seconds since the epoch; systemd does not see signals from others, and workers are replaced
    without a reload. `deleted` are programs and libraries in use that an upgrade replaced;
    `foreign` are those of no package. `variables` (`NAME=value`) name such code in services'
    environments, but are not set by the unit or systemd now. `parts` of the script are complete:
    `loaded`, `code` (deleted and foreign) and `variables`."""

    loaded: dict[str, float] = field(default_factory=dict)
    deleted: dict[str, frozenset[str]] = field(default_factory=dict)
    foreign: dict[str, frozenset[str]] = field(default_factory=dict)
    variables: dict[str, frozenset[str]] = field(default_factory=dict)
    parts: frozenset[str] = frozenset()

    def complete(self, *parts: str) -> Self:
        """This. Raises ServerError if one of the parts failed on the server, so that what it would
        have found is unknown."""
        if failed := [part for part in parts if part not in self.parts]:
            raise ServerError(
                f"processes.sh failed on the server while it read: {', '.join(failed)}"
            )
        return self


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
            parts=frozenset(found["complete"]),
        )
