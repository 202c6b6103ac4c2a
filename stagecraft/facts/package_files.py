"""What became of the files that Debian packages have brought."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from pyinfra.api.facts import FactBase

from stagecraft.facts.reading import reading

READ_PACKAGE_FILES = Path(__file__).with_suffix(".sh").read_text()

UNNEEDED = ("/usr/share/doc/", "/usr/share/man/", "/usr/share/locale/", "/usr/share/info/")
"""What small images leave out of their packages."""


def parse_package_files(lines: Iterable[str]) -> dict[str, str]:
    """Reads the tab-separated lines of `package_files.sh`."""
    rows = (line.split("\t") for line in lines if line.count("\t") == 1)
    return {
        path: state
        for state, path in rows
        if not (state == "missing" and path.startswith(UNNEEDED))
    }


class PackageFiles(FactBase[dict[str, str]]):
    """The files that packages have brought and that are not as they brought them: `changed` or
    `missing`, by path."""

    @reading
    def command(self) -> str:
        return READ_PACKAGE_FILES

    @staticmethod
    def default() -> dict[str, str]:
        return {}

    def process(self, output: list[str]) -> dict[str, str]:
        return parse_package_files(output)
