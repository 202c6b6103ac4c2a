"""When services loaded their configuration, and which code they run that is not installed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from stagecraft.errors import ServerError
from stagecraft.facts.names import rows
from stagecraft.facts.reading import Fact


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

    def complete(self, *parts: str) -> Processes:
        """This. Raises ServerError if one of the parts failed on the server, so that what it would
        have found is unknown."""
        if failed := [part for part in parts if part not in self.parts]:
            raise ServerError(
                f"processes.sh failed on the server while it read: {', '.join(failed)}"
            )
        return self


def parse_processes(output: Sequence[str]) -> Processes:
    found: dict[str, dict[str, set[str]]] = {}
    for kind, unit, value in rows(output, 3):
        found.setdefault(kind, {}).setdefault(unit, set()).add(value)
    loaded = found.get("loaded", {})
    return Processes(
        loaded={unit: float(moment) for unit, moments in loaded.items() for moment in moments},
        deleted=frozen(found.get("deleted", {})),
        foreign=frozen(found.get("foreign", {})),
        variables=frozen(found.get("variable", {})),
        parts=frozenset(found.get("complete", ())),
    )


def frozen(values: Mapping[str, set[str]]) -> dict[str, frozenset[str]]:
    return {unit: frozenset(of_unit) for unit, of_unit in values.items()}


class ProcessesFact(Fact[Processes]):
    parse = staticmethod(parse_processes)
