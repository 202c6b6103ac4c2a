"""What installing Debian packages would change."""

from collections.abc import Iterable
from dataclasses import dataclass

from stagecraft.facts.reading import Fact


@dataclass(frozen=True)
class Change:
    """A package to be installed or upgraded; `old` is empty for a new one."""

    package: str
    old: str
    new: str

    def __str__(self) -> str:
        return f"{self.package} {f'{self.old} → ' if self.old else ''}{self.new}"


@dataclass(frozen=True)
class Installation:
    """`installed` are the completely installed ones of the given packages. For the others, as apt's
    lists have it: `changes` (with dependencies), or `problems` in apt's words. `fresh` means that
    the lists are at most 24 hours old."""

    installed: frozenset[str] = frozenset()
    changes: tuple[Change, ...] = ()
    problems: tuple[str, ...] = ()
    fresh: bool = False

    @property
    def upgrades(self) -> list[Change]:
        return [change for change in self.changes if change.old]


def parse_installation(lines: Iterable[str]) -> Installation:
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
    """Runs apt only if packages are missing."""

    parse = staticmethod(parse_installation)

    def command(self, packages: list[str]) -> str:
        return self.script(names=" ".join(packages))
