"""What bootstrap.py found when it first reached the server: the provider's image."""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field

from stagecraft.facts.reading import Fact
from stagecraft.paths import AS_FOUND


def noted(kind: str, name: str, value: str = "") -> str:
    """A line of `things`."""
    words = (word if word.isprintable() and word else "-" for word in (kind, name, value))
    return "\t".join(words)


UNREAD = noted("unread", "accounts, names and network")
"""In place of the things until the server has Python, which reads them."""


@dataclass(frozen=True)
class AsFound:
    """`files` are paths of no Debian package, `packages` those installed on request. `marks` tell
    owner, mode and content of the files then. `things` are what other facts print of accounts,
    names and the network. Earlier versions recorded none of both."""

    files: frozenset[str] = frozenset()
    packages: frozenset[str] = frozenset()
    marks: Mapping[str, str] = field(default_factory=dict)
    things: frozenset[str] = frozenset()

    @property
    def text(self) -> str:
        """The contents of the file."""
        files = ("\t".join(["file", path, *self._mark(path)]) for path in sorted(self.files))
        return "".join(
            [
                *(f"{line}\n" for line in files),
                *(f"package\t{name}\n" for name in sorted(self.packages)),
                *(f"{thing}\n" for thing in sorted(self.things)),
            ]
        )

    def _mark(self, path: str) -> list[str]:
        return [self.marks[path]] if path in self.marks else []


class AsFoundFact(Fact[AsFound | None]):
    """None on a server that bootstrap.py has not reached."""

    def command(self) -> str:
        path = shlex.quote(AS_FOUND)
        return f"[ ! -f {path} ] || {{ echo found; cat {path}; }}"

    def process(self, output: list[str]) -> AsFound | None:
        if not output:
            return None
        rows = [line.split("\t") for line in output[1:]]
        files = [row[1:] for row in rows if row[0] == "file" and len(row) in (2, 3)]
        return AsFound(
            files=frozenset(row[0] for row in files),
            packages=frozenset(row[1] for row in rows if row[0] == "package" and len(row) == 2),
            marks={row[0]: row[1] for row in files if len(row) == 2},
            things=frozenset("\t".join(row) for row in rows if row[0] != "file" and len(row) == 3),
        )
