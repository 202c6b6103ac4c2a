"""What installing Debian packages would change."""

from dataclasses import dataclass

from stagecraft.facts.reading import Fact, by_kind, fields


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


class InstallationFact(Fact[Installation]):
    """Runs apt only if packages are missing."""

    def command(self, packages: list[str]) -> str:
        return self.script(names=" ".join(packages))

    def process(self, output: list[str]) -> Installation:
        found = by_kind(output)
        changes = (Change(*words) for words in fields(found["change"]))
        return Installation(
            installed=frozenset(found["installed"]),
            changes=tuple(sorted(changes, key=str)),
            problems=tuple(found["problem"]),
            fresh="fresh" in found,
        )
