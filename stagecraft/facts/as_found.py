"""What bootstrap.py found when it first reached the server: the provider's image."""

import shlex
from dataclasses import dataclass

from stagecraft.facts.reading import Fact, by_kind
from stagecraft.paths import AS_FOUND


@dataclass(frozen=True)
class AsFound:
    """`files` are paths of no Debian package, `packages` those installed on request."""

    files: frozenset[str] = frozenset()
    packages: frozenset[str] = frozenset()

    @property
    def text(self) -> str:
        """The contents of the file."""
        files = (f"file\t{path}\n" for path in sorted(self.files))
        return "".join([*files, *(f"package\t{name}\n" for name in sorted(self.packages))])


class AsFoundFact(Fact[AsFound | None]):
    """None on a server that bootstrap.py has not reached."""

    def command(self) -> str:
        path = shlex.quote(AS_FOUND)
        return f"[ ! -f {path} ] || {{ echo found; cat {path}; }}"

    def process(self, output: list[str]) -> AsFound | None:
        lines = (line for line in output[1:] if line.count("\t") == 1)  # root can write others
        found = by_kind(lines)
        return AsFound(frozenset(found["file"]), frozenset(found["package"])) if output else None
