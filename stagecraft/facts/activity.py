"""What an account runs, and what starts as it without anybody logging in."""

from __future__ import annotations

from stagecraft.facts.reading import Fact


class ActivityFact(Fact[list[str]]):
    """What the account has going besides the unit, in words: programs, crontab, jobs of at. As long
    as the unit `limits` runs, there may be more than anybody sees."""

    def command(self, account: str, unit: str, limits: str) -> str:
        return self.script(account=account, unit=unit, limits=limits)

    def process(self, output: list[str]) -> list[str]:
        return output
