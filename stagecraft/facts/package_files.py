"""What became of the files that Debian packages have brought."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from stagecraft.facts.reading import Fact

UNNEEDED = ("/usr/share/doc/", "/usr/share/man/", "/usr/share/locale/", "/usr/share/info/")
"""What small images leave out of their packages."""


@dataclass(frozen=True)
class PackageFile:
    """One that is not as its package has brought it. `state` is `changed`, `missing` or
    `directory`, which is in its place; `origin` is the file in a package that ucf has copied to
    this path, empty for others."""

    state: str
    origin: str = ""


def parse_package_files(lines: Iterable[str]) -> dict[str, PackageFile]:
    """Reads the tab-separated lines of `package_files.sh`."""
    rows = (line.split("\t") for line in lines if line.count("\t") == 2)
    return {
        path: PackageFile(state, origin)
        for state, path, origin in rows
        if not (state == "missing" and path.startswith(UNNEEDED))
    }


class PackageFilesFact(Fact[dict[str, PackageFile]]):
    """The `PackageFile`s that differ, by path."""

    parse = staticmethod(parse_package_files)
