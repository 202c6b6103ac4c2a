"""What an installation of Debian packages would do."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from stagecraft.facts.reading import Fact


@dataclass(frozen=True)
class Change:
    """A package that comes, or one that gets another version; `old` is empty for one that comes."""

    package: str
    old: str
    new: str

    def __str__(self) -> str:
        return f"{self.package} {f'{self.old} → ' if self.old else ''}{self.new}"


@dataclass(frozen=True)
class Installation:
    """`installed` are those of the packages that dpkg has completely installed. For the others, as
    far as apt knows: the `changes`, dependencies among them, or the `problems` that there are, in
    apt's words. `fresh` says that its lists are of the last 24 hours."""

    installed: frozenset[str] = frozenset()
    changes: tuple[Change, ...] = ()
    problems: tuple[str, ...] = ()
    fresh: bool = False

    @property
    def upgrades(self) -> list[Change]:
        return [change for change in self.changes if change.old]


def parse_installation(lines: Iterable[str]) -> Installation:
    """Reads the tab-separated lines of `installation.sh`."""
    found: dict[str, list[list[str]]] = {}
    for line in lines:
        kind, *words = line.split("\t")
        found.setdefault(kind, []).append(words)
    return Installation(
        installed=frozenset(name for [name] in found.get("installed", [])),
        changes=tuple(sorted((Change(*words) for words in found.get("change", [])), key=str)),
        problems=tuple(text for [text] in found.get("problem", [])),
        fresh="fresh" in found,
    )


class InstallationFact(Fact[Installation]):
    """The `Installation` of the given packages. Asks apt only where some are missing."""

    parse = staticmethod(parse_installation)

    def command(self, packages: list[str]) -> str:
        return self.script(names=" ".join(packages))
