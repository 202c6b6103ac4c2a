"""The accounts on a machine, people's and services'."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field

from stagecraft.facts.reading import Fact

FIRST_PERSON = 1000
"""From here on user ids are people's (UID_MIN in /etc/login.defs)."""


MADE_BY_US = ",,,,made by Stagecraft"
"""The comment of an account that a run has made: the last of its five fields, which root alone
writes. The others, a name for instance, are for chfn to change."""


@dataclass(frozen=True)
class Account:
    """A line of /etc/passwd."""

    uid: int
    home: str
    shell: str
    comment: str = ""
    gid: int = -1

    @property
    def made_by_us(self) -> bool:
        return self.comment.split(",", 4)[4:] == MADE_BY_US.split(",", 4)[4:]

    @property
    def a_service(self) -> bool:
        return self.uid < FIRST_PERSON

    @property
    def lets_in(self) -> bool:
        return not self.shell.endswith(("/nologin", "/false"))


@dataclass(frozen=True)
class Accounts:
    """All accounts by name, and the members and id of one group; None where there is none."""

    by_name: dict[str, Account] = field(default_factory=dict)
    members: frozenset[str] | None = None
    gid: int | None = None


def parse_accounts(lines: list[str]) -> Accounts:
    by_name: dict[str, Account] = {}
    members = gid = None
    for line in lines:
        kind, _, entry = line.partition(" ")
        fields = entry.split(":")
        if kind == "user":
            name, _, uid, own, comment, home, shell = fields
            by_name[name] = Account(int(uid), home, shell, comment, int(own))
        elif kind == "group":
            members, gid = frozenset(filter(None, fields[3].split(","))), int(fields[2])
    return Accounts(by_name, members, gid)


class AccountsFact(Fact[Accounts]):
    """The `Accounts`, with the members of `group`. pyinfra's own fact takes 0.2 seconds, and reads
    the hashes of passwords as well."""

    parse = staticmethod(parse_accounts)

    def command(self, group: str) -> str:
        return (
            f"getent passwd | sed 's/^/user /'; getent group {shlex.quote(group)}"
            " | sed 's/^/group /'; true"
        )
