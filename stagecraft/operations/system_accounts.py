"""Unix accounts of sites and other services; those of people are in admins.py."""

import shlex
from collections.abc import Generator
from dataclasses import dataclass

from pyinfra.api.command import StringCommand
from pyinfra.api.operation import OperationMeta, operation
from pyinfra.context import host

from stagecraft.facts.accounts import Accounts, AccountsFact
from stagecraft.facts.activity import ActivityFact
from stagecraft.harmless import in_one_line
from stagecraft.operations.scripts import run_script, script
from stagecraft.run import report_states
from stagecraft.seen import CompositeValue, State

NO_LOGIN = "/usr/sbin/nologin"
END_ACTIVITY = script("end_activity")


@dataclass(frozen=True)
class Identity(CompositeValue):
    group: str
    home: str
    shell: str

    def __str__(self) -> str:
        return f"group {self.group}, home {self.home}, shell {self.shell}"


@operation()
def system_account(account: str, home: str, login_shell: str = NO_LOGIN) -> Generator[str]:
    """Ensures a system user without a password, in a system group of the same name.

    Args:
        home: only the path; the operation that creates the directory sets owner and mode.
    """
    found: Accounts = host.get_fact(AccountsFact, group=account)
    wanted, present = Identity(account, home, login_shell), identity(account, found)
    report_states(State("account", account, wanted, present or ""))
    if found.gid is None:
        yield f"groupadd --system {shlex.quote(account)}"
    if present is None:
        yield f"useradd --system --no-create-home {options(wanted)} {shlex.quote(account)}"
    elif present != wanted:
        yield f"usermod {options(wanted)} {shlex.quote(account)}"


def identity(account: str, found: Accounts) -> Identity | None:
    known = found.by_name.get(account)
    if known is None:
        return None
    group = account if known.gid == found.gid else "another one"
    return Identity(group, known.home, known.shell)


def options(wanted: Identity) -> str:
    """The short options that useradd and usermod share."""
    return shlex.join(["-g", wanted.group, "-d", wanted.home, "-s", wanted.shell])


def idle(*, name: str, account: str, home: str, besides: str, limits: str) -> OperationMeta:
    """Ensures that the account runs nothing outside the unit `besides`, and that nothing starts as
    it by itself, before its `limits` (a unit) are lifted. The plan lists what will end. The crontab
    is kept in `home`."""
    if found := activity(account, besides, limits):
        name += f": {found}"
    return ended(name=name, account=account, home=home, besides=besides, limits=limits)


def activity(account: str, besides: str, limits: str) -> str:
    """As text; the account controls its contents."""
    found: list[str] = host.get_fact(ActivityFact, account=account, unit=besides, limits=limits)
    return in_one_line(found)


@operation()
def ended(account: str, home: str, besides: str, limits: str) -> Generator[StringCommand]:
    """What `idle` ensures."""
    found = activity(account, besides, limits)
    report_states(State("activity", account, "", found))
    if found:
        yield run_script(END_ACTIVITY, account, home)
