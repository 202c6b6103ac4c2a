"""What became of the files that Debian packages have brought."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from pyinfra.api.facts import FactBase

from stagecraft.facts.reading import reading

READ_EDITED = Path(__file__).with_suffix(".sh").read_text()


class EditedConfiguration(FactBase[dict[str, str]]):
    """The configuration files that packages have brought and that are not as they brought them:
    `edited` or `missing`, by path."""

    @reading
    def command(self) -> str:
        return READ_EDITED

    @staticmethod
    def default() -> dict[str, str]:
        return {}

    def process(self, output: list[str]) -> dict[str, str]:
        rows = (line.split("\t") for line in output if "\t" in line)
        return {path: state for state, path in rows}


class ChangedPackageFiles(FactBase[dict[str, str]]):
    """Packages' other files that are not as they were installed: `changed` or `missing`, by path.
    It reads all of them, which takes more than a second."""

    @reading
    def command(self) -> str:
        return "dpkg --verify 2>/dev/null; true"

    @staticmethod
    def default() -> dict[str, str]:
        return {}

    def process(self, output: list[str]) -> dict[str, str]:
        return parse_verified(output)


UNNEEDED = ("/usr/share/doc/", "/usr/share/man/", "/usr/share/locale/", "/usr/share/info/")
"""What small images leave out of their packages."""


def parse_verified(lines: Iterable[str]) -> dict[str, str]:
    """Reads `dpkg --verify`: `??5?????? c /etc/x` or `missing     /usr/x`, `c` for configuration,
    which others look after."""
    found: dict[str, str] = {}
    for line in lines:
        flags, _, path = line.partition(" /")
        path = f"/{path}"
        verdict, *kind = flags.split()
        if kind != ["c"] and not (verdict == "missing" and path.startswith(UNNEEDED)):
            found[path.removesuffix(" (Permission denied)")] = (
                "missing" if verdict == "missing" else "changed"
            )
    return found
