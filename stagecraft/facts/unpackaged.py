"""Files of no Debian package, in places where a file alone changes the machine's behaviour."""

from collections.abc import Sequence
from dataclasses import dataclass

from stagecraft.facts.names import rows
from stagecraft.facts.reading import Fact
from stagecraft.paths import APPS

TYPES = {"f": "file", "d": "directory", "l": "link"}


@dataclass(frozen=True)
class UnpackagedFile:
    """A path of no package. `mode` is octal text, `owner` is user:group; `since` is its ctime in
    seconds since the epoch."""

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
        """Whether its name is readable: without line ends, invalid UTF-8, and characters that hide
        or reverse others, which only serve to hide a file."""
        return self.path.isprintable()

    @property
    def setuid(self) -> bool:
        """Whether its program runs with the rights of its owner or group."""
        return self.kind == "file" and int(self.mode, 8) & 0o6000 != 0


def parse_unpackaged(output: Sequence[str]) -> list[UnpackagedFile]:
    """Reads what `unpackaged.sh` prints, each path once, in order of paths."""
    found: dict[str, UnpackagedFile] = {}
    for letter, mode, owner, changed, path, target in rows(output, 6):
        found[path] = UnpackagedFile(
            path, TYPES.get(letter, letter), mode, owner, target, float(changed)
        )
    return [found[path] for path in sorted(found)]


class UnpackagedFilesFact(Fact[list[UnpackagedFile]]):
    """Includes the files that runs installed."""

    parse = staticmethod(parse_unpackaged)

    def command(self) -> str:
        return self.script(apps=APPS)
