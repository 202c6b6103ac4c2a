"""Packages' files with an owner, rights or attributes that packages rarely give, and compiled
Python that is not what its source says."""

import shlex
from pathlib import Path

from stagecraft.facts.reading import Fact, rows

READ_PACKAGED = (Path(__file__).parent / "on_server/packaged.py").read_text()


class PackagedRightsFact(Fact[dict[str, dict[str, str]]]):
    """By path and kind: `owner` (user:group), `mode` (octal), `open` (the mode, and its
    package's), `attributes` (`i`, `a`), `user attribute` (its name), `instead of a link`
    (the package), and, with empty values, `acl`, `capability` and `compiled`. Other kinds
    are `record`, `diverted`, `disabled` (with its unit) and `ahead` (with a command)."""

    def command(self, full: bool = False) -> str:
        """With `full`, compares all bytecode with its source: seconds, instead of a moment."""
        return f"python3 -I -S -c {shlex.quote(READ_PACKAGED)}" + " full" * full

    def process(self, output: list[str]) -> dict[str, dict[str, str]]:
        found: dict[str, dict[str, str]] = {}
        for path, kind, value in rows(output, 3):
            found.setdefault(path, {})[kind] = value
        return found
