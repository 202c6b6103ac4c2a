"""Jails of fail2ban that run otherwise than its files say."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from stagecraft.facts.names import rows
from stagecraft.facts.reading import Fact

READ_JAILS = (Path(__file__).parent / "on_server/jails.py").read_text()

WHOLE = "jail"
"""What stands in place of a setting where only the files or only the server has the jail."""


@dataclass(frozen=True, order=True)
class JailSetting:
    """A setting of a jail: `declared` by the files, and `running` in the server."""

    jail: str
    name: str
    declared: str
    running: str


def parse_jails(output: Sequence[str]) -> list[JailSetting]:
    """Reads what `on_server/jails.py` prints."""
    return sorted(JailSetting(*row) for row in rows(output, 4))


class JailsFact(Fact[list[JailSetting]]):
    """The `JailSetting`s that differ; fails where fail2ban does not answer."""

    parse = staticmethod(parse_jails)

    def command(self) -> str:
        return f"python3 -I -c {shlex.quote(READ_JAILS)}"
