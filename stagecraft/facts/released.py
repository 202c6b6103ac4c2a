"""What is in sites' directories and was not released."""

import shlex
from pathlib import Path

from stagecraft.facts.reading import Fact, rows

READ_RELEASED = (Path(__file__).parent / "on_server/released.py").read_text()


class NotReleasedFact(Fact[list[tuple[str, str, str]]]):
    """Site, kind and path. Kinds: `added`, `changed` and `missing` in a release, `unlisted` in the
    placeholder, `program` and `link out` in the storage."""

    def command(self, sites: dict[str, str]) -> str:
        words = [word for pair in sorted(sites.items()) for word in pair]
        return f"python3 -I -S -c {shlex.quote(READ_RELEASED)} {shlex.join(words)}"

    def process(self, output: list[str]) -> list[tuple[str, str, str]]:
        return [(site, kind, path) for site, kind, path in rows(output, 3)]
