"""fail2ban jails whose running settings differ from its files."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from stagecraft.facts.names import rows
from stagecraft.facts.reading import Fact

READ_JAILS = (Path(__file__).parent / "on_server/jails.py").read_text()

WHOLE = "jail"
"""Shown as the value when only the files or only the server have the jail."""


@dataclass(frozen=True, order=True)
class JailSetting:
    jail: str
    name: str
    declared: str
    running: str


def parse_jails(output: Sequence[str]) -> list[JailSetting]:
    return sorted(JailSetting(*row) for row in rows(output, 4))


class JailsFact(Fact[list[JailSetting]]):
    """Fails if fail2ban does not answer."""

    parse = staticmethod(parse_jails)

    def command(self) -> str:
        return f"python3 -I -c {shlex.quote(READ_JAILS)}"
