"""Who the server knows, whom it trusts, and what packages say of it."""

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from stagecraft.facts.reading import Fact, rows

READ_IDENTITY = (Path(__file__).parent / "on_server/identity.py").read_text()


OF_PROVIDERS = {"account", "member", "names", "host", "resolver", "known host", "authority"}


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
    def first_day(self) -> list[tuple[str, str, str]]:
        """What is a provider's business, and gives nobody access."""
        rows = (row for row in self.found if row[0] in OF_PROVIDERS)
        return [row for row in rows if "".join(row).isprintable()]

    def of(self, kind: str) -> list[tuple[str, str]]:
        return [(name, value) for its, name, value in self.found if its == kind]

    def names(self, kind: str) -> set[str]:
        return {name for name, _ in self.of(kind)}

    def accounts(self, kind: str = "account") -> dict[str, Fields]:
        """`fixed` are those that Debian has on every machine."""
        return {name: Fields(*value.split(":")) for name, value in self.of(kind)}


class IdentityFact(Fact[Identity]):
    def command(self) -> str:
        return f"python3 -I -c {shlex.quote(READ_IDENTITY)}"

    def process(self, output: list[str]) -> Identity:
        return Identity(tuple((kind, name, value) for kind, name, value in rows(output, 3)))
