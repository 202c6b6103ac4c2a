"""What runs have recorded on the server: the manifest of each environment."""

from __future__ import annotations

from dataclasses import dataclass

from pyinfra.api.facts import FactBase

from stagecraft.facts.reading import reading
from stagecraft.paths import MANIFESTS

DECLARED = "declared"
STATE = "state"

FIELDS = {"package": 3, "database": 3, STATE: 4}
"""In a line of a kind; of all others, which are paths: 7."""


@dataclass(frozen=True)
class Record:
    """One thing that a run has made: a path, by the tree it belongs to, a package or a database; or
    what it has declared of anything else, by kind and name."""

    tree: str
    kind: str
    path: str
    text: str

    @property
    def fields(self) -> tuple[str, ...]:
        """What is recorded of it, without the tree and its name."""
        _, kind, _, *values = self.text.split("\t")
        return (kind, *values)


def parse_manifests(lines: list[str]) -> dict[str, list[Record]]:
    """The records of each environment, from the files' lines under `== <environment>`."""
    manifests: dict[str, list[Record]] = {}
    records: list[Record] = []
    for line in lines:
        if line.startswith("== "):
            records = manifests.setdefault(line[3:], [])
        elif whole(line):
            tree, kind, path, *_ = line.split("\t")
            records.append(Record(tree, kind, path, line))
    return manifests


def whole(line: str) -> bool:
    """Whether nothing is missing: a full disk may cut the last line of a run, and half a path is
    another one."""
    fields = line.split("\t")
    return len(fields) > 2 and len(fields) == FIELDS.get(fields[1], 7)


class Manifests(FactBase[dict[str, list[Record]]]):
    """The records of each environment that has been applied on this server. Neither a name nor a
    line, cut off or forged, can pass for the beginning of another environment's."""

    @reading
    def command(self) -> str:
        return (
            f"cd {MANIFESTS} 2>/dev/null && for name in *; do"
            ' case "$name" in *[!A-Za-z0-9._-]*) continue ;; esac;'
            ' [ ! -f "$name" ] || { echo "== $name"; awk \'!/^== /\' "./$name"; }; done; true'
        )

    @staticmethod
    def default() -> dict[str, list[Record]]:
        return {}

    def process(self, output: list[str]) -> dict[str, list[Record]]:
        return parse_manifests(output)
