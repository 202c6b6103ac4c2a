"""fail2ban jails whose running settings differ from its files."""

import shlex
from dataclasses import dataclass
from pathlib import Path

from stagecraft.facts.reading import Fact, rows

READ_JAILS = (Path(__file__).parent / "on_server/jails.py").read_text()

WHOLE = "jail"
"""Shown as the value when only the files or only the server have the jail."""


@dataclass(frozen=True, order=True)
class JailSetting:
    jail: str
    name: str
    declared: str
    running: str


class JailsFact(Fact[list[JailSetting]]):
    """Fails if fail2ban does not answer."""

    def command(self) -> str:
        return f"python3 -I -c {shlex.quote(READ_JAILS)}"

    def process(self, output: list[str]) -> list[JailSetting]:
        return sorted(JailSetting(*row) for row in rows(output, 4))
