"""Unix accounts: one user, one group."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from stagecraft.facts.reading import Fact


@dataclass(frozen=True)
class Account:
    """A user and the group of the same name; each part is empty where the server has none."""

    group: str = ""
    user: str = ""
    primary_group: str = ""
    home: str = ""
    shell: str = ""


def parse_account(lines: list[str]) -> Account:
    """Reads the `key value` lines that `AccountFact.command` prints."""
    values = dict(line.split(" ", 1) for line in lines)
    user = values.get("user", "::::::").split(":")
    return Account(
        group=values.get("group", "").split(":")[0],
        user=user[0],
        primary_group=values.get("primary-group", ""),
        home=user[5],
        shell=user[6],
    )


class AccountFact(Fact[Account]):
    """The `Account` of this name. pyinfra's own fact reads all users, passwords' hashes among
    them, in 0.2 seconds."""

    parse = staticmethod(parse_account)

    def command(self, account: str) -> str:
        account = shlex.quote(account)
        return (
            f"getent group {account} | sed 's/^/group /';"
            f" getent passwd {account} | sed 's/^/user /';"
            f" id -gn {account} 2>/dev/null | sed 's/^/primary-group /'"
        )
