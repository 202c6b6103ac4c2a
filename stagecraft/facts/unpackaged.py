"""Files that no Debian package has brought, where a file alone changes what the machine does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from stagecraft.facts.names import rows
from stagecraft.facts.reading import Fact
from stagecraft.paths import APPS

TYPES = {"f": "file", "d": "directory", "l": "link"}


@dataclass(frozen=True)
class UnpackagedFile:
    """A path that is not a package's. `mode` is octal text, `owner` is user:group; `since` is when
    it last changed in any way (ctime), in seconds since the epoch."""

    path: str
    kind: str = "file"
    mode: str = "644"
    owner: str = "root:root"
    target: str = ""
    since: float = 0

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]

    @property
    def printable(self) -> bool:
        """Whether people can read its name. Only somebody who hides needs one with a line end, with
        bytes that are no text, or with characters that hide or reverse others."""
        return self.path.isprintable()

    @property
    def setuid(self) -> bool:
        """Whether whoever runs it becomes its owner, or of its group."""
        return self.kind == "file" and int(self.mode, 8) & 0o6000 != 0


def parse_unpackaged(output: Sequence[str]) -> list[UnpackagedFile]:
    """Reads what `unpackaged.sh` prints, each path once, in the paths' order."""
    found: dict[str, UnpackagedFile] = {}
    for letter, mode, owner, changed, path, target in rows(output, 6):
        found[path] = UnpackagedFile(
            path, TYPES.get(letter, letter), mode, owner, target, float(changed)
        )
    return [found[path] for path in sorted(found)]


class UnpackagedFilesFact(Fact[list[UnpackagedFile]]):
    """The `UnpackagedFile`s, those that runs have installed among them."""

    parse = staticmethod(parse_unpackaged)

    def command(self) -> str:
        return self.script(apps=APPS)
