"""Releases that the site's user could change, or whose links lead nginx elsewhere."""

from __future__ import annotations

from pathlib import Path

from stagecraft.facts.names import rows
from stagecraft.facts.reading import Fact

LEADING_OUT = Path(__file__).with_name("leading_out.sh").read_text()


class ReleasesFact(Fact[list[str]]):
    """What below `home`'s releases is not as root left it: a release, or the public/ in it, that
    is not root's, and a link in a public/ that leads out of its release, but for those in the place
    of the `shared` directories."""

    def command(self, home: str, shared: list[str]) -> str:
        return LEADING_OUT + self.script(home=home, shared=" ".join(shared))

    def process(self, output: list[str]) -> list[str]:
        return [path for (path,) in rows(output, 1)]
