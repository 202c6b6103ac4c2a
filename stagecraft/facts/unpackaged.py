"""Files of no Debian package, in places where a file alone changes the machine's behaviour."""

import hashlib
from dataclasses import dataclass, replace

from stagecraft.facts.reading import Fact, rows
from stagecraft.paths import APPS

TYPES = {"f": "file", "d": "directory", "l": "link"}


@dataclass(frozen=True)
class UnpackagedFile:
    """A path of no package. `mode` is octal text, `owner` is user:group; `since` is its ctime.
    `sha256` is that of a file with at most a megabyte. `top` is the first directory on its path
    that no package has, and that is neither a home nor a mount; empty if there is none."""

    path: str
    kind: str = "file"
    mode: str = "644"
    owner: str = "root:root"
    target: str = ""
    since: float = 0
    sha256: str = ""
    top: str = ""

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]

    @property
    def mark(self) -> str:
        """Another one for another owner, mode, target or content."""
        text = " ".join([self.kind, self.mode, self.owner, self.target, self.sha256])
        return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:16]

    @property
    def printable(self) -> bool:
        """Whether its name is readable: without line ends, invalid UTF-8, and characters that hide
        or reverse others, which only serve to hide a file."""
        return self.path.isprintable()

    @property
    def setuid(self) -> bool:
        """Whether its program runs with the rights of its owner or group."""
        return self.kind == "file" and int(self.mode, 8) & 0o6000 != 0


class UnpackagedFilesFact(Fact[list[UnpackagedFile]]):
    """Each once, by path. Includes the files that runs installed."""

    def command(self) -> str:
        return self.script(apps=APPS)

    def process(self, output: list[str]) -> list[UnpackagedFile]:
        found: dict[str, UnpackagedFile] = {}
        for letter, mode, owner, changed, _, path, rest, top in rows(output, 8):
            if letter == "sum":
                if path in found:  # not cut off, because somebody held up the reading
                    found[path] = replace(found[path], sha256=rest)
            else:
                kind = TYPES.get(letter, letter)
                found[path] = UnpackagedFile(path, kind, mode, owner, rest, float(changed), top=top)
        return [found[path] for path in sorted(found)]
