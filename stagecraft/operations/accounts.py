"""Unix accounts that services run as."""

from __future__ import annotations

import shlex
from collections.abc import Generator

from pyinfra.api.operation import operation
from pyinfra.context import host

from stagecraft.facts.accounts import Account, AccountFact
from stagecraft.seen import State, saw

NO_LOGIN = "/usr/sbin/nologin"


@operation()
def system_account(account: str, home: str) -> Generator[str]:
    """Ensures a system user that nobody can log in as, in a system group of its own name.

    Args:
        home: the path alone; who makes the directory decides on its owner and mode.
    """
    present: Account = host.get_fact(AccountFact, account=account)
    wanted = {"-g": account, "-d": home, "-s": NO_LOGIN}
    saw(State("account", account, in_words(account, home, NO_LOGIN), as_found(present)))
    if not present.group:
        yield f"groupadd --system {shlex.quote(account)}"
    if not present.user:
        yield f"useradd --system --no-create-home {options(wanted)} {shlex.quote(account)}"
    elif changes := differing(present, wanted):
        yield f"usermod {options(changes)} {shlex.quote(account)}"


def as_found(present: Account) -> str:
    if not present.user:
        return ""
    group = present.primary_group if present.group else "one that is gone"
    return in_words(group, present.home, present.shell)


def in_words(group: str, home: str, shell: str) -> str:
    return f"group {group}, home {home}, shell {shell}"


def differing(present: Account, wanted: dict[str, str]) -> dict[str, str]:
    """Those options that would change something; useradd and usermod share the short ones."""
    values = {"-g": present.primary_group, "-d": present.home, "-s": present.shell}
    return {option: value for option, value in wanted.items() if values[option] != value}


def options(values: dict[str, str]) -> str:
    return " ".join(f"{option} {shlex.quote(value)}" for option, value in values.items())
