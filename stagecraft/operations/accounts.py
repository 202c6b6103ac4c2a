"""Unix accounts that services run as."""

from __future__ import annotations

import shlex
from collections.abc import Generator
from dataclasses import dataclass

from pyinfra.api.command import StringCommand
from pyinfra.api.operation import OperationMeta, operation
from pyinfra.context import host

from stagecraft.facts.accounts import Account, AccountFact
from stagecraft.facts.activity import Activity
from stagecraft.harmless import bounded, harmless
from stagecraft.operations.scripts import run_script, script
from stagecraft.run import saw
from stagecraft.seen import Standing, State, Value

NO_LOGIN = "/usr/sbin/nologin"
END_ACTIVITY = script("end_activity")


@dataclass(frozen=True)
class Identity(Standing):
    group: str
    home: str
    shell: str

    def __str__(self) -> str:
        return f"group {self.group}, home {self.home}, shell {self.shell}"


@operation()
def system_account(account: str, home: str) -> Generator[str]:
    """Ensures a system user that nobody can log in as, in a system group of its own name.

    Args:
        home: the path alone; who makes the directory decides on its owner and mode.
    """
    present: Account = host.get_fact(AccountFact, account=account)
    wanted = {"-g": account, "-d": home, "-s": NO_LOGIN}
    saw(State("account", account, Identity(account, home, NO_LOGIN), as_found(present)))
    if not present.group:
        yield f"groupadd --system {shlex.quote(account)}"
    if not present.user:
        yield f"useradd --system --no-create-home {options(wanted)} {shlex.quote(account)}"
    elif changes := differing(present, wanted):
        yield f"usermod {options(changes)} {shlex.quote(account)}"


def as_found(present: Account) -> Value:
    if not present.user:
        return ""
    group = present.primary_group if present.group else "one that is gone"
    return Identity(group, present.home, present.shell)


def differing(present: Account, wanted: dict[str, str]) -> dict[str, str]:
    """Those options that would change something; useradd and usermod share the short ones."""
    values = {"-g": present.primary_group, "-d": present.home, "-s": present.shell}
    return {option: value for option, value in wanted.items() if values[option] != value}


def options(values: dict[str, str]) -> str:
    return " ".join(f"{option} {shlex.quote(value)}" for option, value in values.items())


def idle(*, name: str, account: str, home: str, besides: str, limits: str) -> OperationMeta:
    """Ensures that nothing runs as the account but what the unit `besides` runs, and that nothing
    starts as it by itself, before its `limits`, a unit, are lifted. The plan says what ends. Its
    crontab stays, in `home`."""
    found = activity(account, besides, limits)
    return ended(
        name=f"{name}: {found}" if found else name,
        account=account,
        home=home,
        besides=besides,
        limits=limits,
    )


def activity(account: str, besides: str, limits: str) -> str:
    """In words, which are of the account's making."""
    found: list[str] = host.get_fact(Activity, account=account, unit=besides, limits=limits)
    return "".join(bounded([harmless(", ".join(found))]))


@operation()
def ended(account: str, home: str, besides: str, limits: str) -> Generator[StringCommand]:
    """What `idle` ensures."""
    found = activity(account, besides, limits)
    saw(State("activity", account, "", found))
    if found:
        yield run_script(END_ACTIVITY, account, home)
