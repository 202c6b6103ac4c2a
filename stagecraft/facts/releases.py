"""Releases that the site's user could change, or with links that lead out."""

from pathlib import Path

from stagecraft.facts.reading import Fact, rows

LEADING_OUT = Path(__file__).with_name("leading_out.sh").read_text()


class ReleasesFact(Fact[list[str]]):
    """What differs below `home`'s releases from what root left: a release, or its public/, with
    another owner, and links in public/ that lead out of the release, except those in the place of
    `shared` directories."""

    def command(self, home: str, shared: list[str]) -> str:
        return LEADING_OUT + self.script(home=home, shared=" ".join(shared))

    def process(self, output: list[str]) -> list[str]:
        return [path for (path,) in rows(output, 1)]
