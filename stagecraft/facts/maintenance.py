"""What keeps visitors out of sites although none of their actions is going on."""

from dataclasses import dataclass

from stagecraft.facts.reading import Fact, rows
from stagecraft.services import MAINTENANCE


@dataclass(frozen=True)
class Left:
    """Something in the directory of closed sites. `since` is its ctime."""

    name: str
    closed: bool = False
    since: float = 0


class MaintenanceFact(Fact[list[Left]]):
    def command(self) -> str:
        return self.script(directory=MAINTENANCE)

    def process(self, output: list[str]) -> list[Left]:
        return [
            Left(name, closed == "closed", float(changed))
            for name, closed, changed in rows(output, 3)
        ]
