"""The accounts of people and of services, and the members of a group."""

import shlex
from dataclasses import dataclass, field

from stagecraft.facts.reading import Fact, by_kind

FIRST_PERSON = 1000
"""The lowest user id of people (UID_MIN in /etc/login.defs)."""


MADE_BY_US = ",,,,made by Stagecraft"
"""The comment of accounts that a run created. It is the last of the five GECOS fields, which only
root can write; chfn can change the others."""


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
    """All accounts by name, and the members and id of one group (None without the group)."""

    by_name: dict[str, Account] = field(default_factory=dict)
    members: frozenset[str] | None = None
    gid: int | None = None


def named_account(line: str) -> tuple[str, Account]:
    """The name and the account of a line of /etc/passwd."""
    name, _, uid, gid, comment, home, shell = line.split(":")
    return name, Account(int(uid), home, shell, comment, int(gid))


def named_members(line: str) -> tuple[str, frozenset[str]]:
    """The name and the members of a line of /etc/group."""
    name, _, _, members = line.split(":")
    return name, frozenset(filter(None, members.split(",")))


class AccountsFact(Fact[Accounts]):
    """Reads `group`'s members. pyinfra's own fact takes 0.2 seconds, and reads password hashes."""

    def command(self, group: str) -> str:
        return (
            f"getent passwd | sed 's/^/user /'; getent group {shlex.quote(group)}"
            " | sed 's/^/group /'; true"
        )

    def process(self, output: list[str]) -> Accounts:
        found = by_kind(output, " ")
        by_name = dict(map(named_account, found["user"]))
        for line in found["group"]:
            return Accounts(by_name, named_members(line)[1], int(line.split(":")[2]))
        return Accounts(by_name)
