"""What an account runs, and what starts as that account without a login."""

from stagecraft.facts.reading import Fact


class ActivityFact(Fact[list[str]]):
    """Programs, crontab and at jobs of the account outside the unit, as text. Adds a line while the
    unit `limits` runs, because more may exist than a list can show."""

    def command(self, account: str, unit: str, limits: str) -> str:
        return self.script(account=account, unit=unit, limits=limits)

    def process(self, output: list[str]) -> list[str]:
        return output
