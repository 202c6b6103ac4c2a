"""Who besides root could change a directory of programs."""

import shlex
from dataclasses import dataclass
from pathlib import Path

from stagecraft.facts.reading import Fact, rows

READ_WRITABLE = (Path(__file__).parent / "on_server/writable.py").read_text()


@dataclass(frozen=True)
class Writable:
    """A path that others than root own or can write to: `within` the directory, `above` it, or
    `beyond` it, reached by `link` (a link, or a file by which Python imports from there). `shared`
    means that new files in it will be writable."""

    where: str
    path: str
    owner: str
    mode: str
    link: str = ""

    @property
    def shared(self) -> bool:
        return self.mode == "default"


class WritableFact(Fact[list[Writable]]):
    """Excludes throwaway servers in the directory's `.stagecraft`."""

    def command(self, directory: str) -> str:
        return f"python3 -I -c {shlex.quote(READ_WRITABLE)} {shlex.quote(directory)}"

    def process(self, output: list[str]) -> list[Writable]:
        return [Writable(*row) for row in rows(output, 5)]
