"""What bootstrap.py found when it first reached the server: the provider's image."""

import shlex
from collections.abc import Iterable
from dataclasses import dataclass

from stagecraft.facts.reading import Fact
from stagecraft.paths import AS_FOUND


@dataclass(frozen=True)
class AsFound:
    """`files` are paths that belong to no Debian package, `packages` those that were not installed
    only as dependencies."""

    files: frozenset[str] = frozenset()
    packages: frozenset[str] = frozenset()

    @property
    def text(self) -> str:
        """The contents of the file."""
        files = (f"file\t{path}\n" for path in sorted(self.files))
        return "".join([*files, *(f"package\t{name}\n" for name in sorted(self.packages))])


def parse_as_found(lines: Iterable[str]) -> AsFound | None:
    """Reads `AsFound.text` after a first line which says that the file exists."""
    said, *records = [line.split("\t") for line in lines] or [[]]
    if not said:
        return None
    pairs = [record for record in records if len(record) == 2]  # root can write others
    return AsFound(
        files=frozenset(name for kind, name in pairs if kind == "file"),
        packages=frozenset(name for kind, name in pairs if kind == "package"),
    )


class AsFoundFact(Fact[AsFound | None]):
    """None on a server that bootstrap.py has not reached."""

    parse = staticmethod(parse_as_found)

    def command(self) -> str:
        path = shlex.quote(AS_FOUND)
        return f"[ ! -f {path} ] || {{ echo found; cat {path}; }}"
