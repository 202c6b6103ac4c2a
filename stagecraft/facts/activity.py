"""What an account runs, and what starts as it without anybody logging in."""

from __future__ import annotations

import shlex
from pathlib import Path

from stagecraft.facts.reading import Fact

READ_ACTIVITY = Path(__file__).with_suffix(".sh").read_text()


class Activity(Fact[list[str]]):
    """What the account has going besides the unit, in words: programs, crontab, jobs of at. As long
    as the unit `limits` runs, there may be more than anybody sees."""

    def command(self, account: str, unit: str, limits: str) -> str:
        given = {"account": account, "unit": unit, "limits": limits}
        variables = "".join(f"{name}={shlex.quote(text)}\n" for name, text in given.items())
        return variables + READ_ACTIVITY

    def process(self, output: list[str]) -> list[str]:
        return output
