"""Who the server knows, whom it trusts, and what packages say of it."""

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Self

from stagecraft.facts.as_found import noted
from stagecraft.facts.reading import Fact, rows

READ_IDENTITY = (Path(__file__).parent / "on_server/identity.py").read_text()


OF_PROVIDERS = {"account", "member", "names", "host", "known host", "authority"}


class Fields(NamedTuple):
    """Of a line in /etc/passwd, without the password and the comment."""

    uid: str
    gid: str
    home: str
    shell: str


@dataclass(frozen=True)
class Identity:
    """What the script prints: `found` has values by kind and name, in order."""

    found: tuple[tuple[str, str, str], ...] = ()

    @property
    def first_day(self) -> frozenset[str]:
        """What is a provider's business, and gives nobody access."""
        return frozenset(noted(*row) for row in self.found if row[0] in OF_PROVIDERS)

    def since(self, first_day: frozenset[str]) -> Self:
        """Without what was there on the server's first day."""
        return type(self)(tuple(row for row in self.found if noted(*row) not in first_day))

    def of(self, kind: str) -> list[tuple[str, str]]:
        return [(name, value) for its, name, value in self.found if its == kind]

    def names(self, kind: str) -> set[str]:
        return {name for name, _ in self.of(kind)}

    def accounts(self, kind: str = "account") -> dict[str, Fields]:
        """`fixed` are those that Debian has on every machine."""
        return {name: Fields(*value.split(":")) for name, value in self.of(kind)}


class IdentityFact(Fact[Identity]):
    """Empty on a bare server without Python."""

    def command(self) -> str:
        return f"! command -v python3 >/dev/null || python3 -I -c {shlex.quote(READ_IDENTITY)}"

    def process(self, output: list[str]) -> Identity:
        return Identity(tuple((kind, name, value) for kind, name, value in rows(output, 3)))
