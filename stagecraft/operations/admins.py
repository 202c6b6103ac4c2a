"""Accounts of people and of automation, with SSH keys and without passwords."""

import shlex
from collections.abc import Generator
from dataclasses import dataclass

from pyinfra.api.command import StringCommand
from pyinfra.api.operation import operation
from pyinfra.context import host

from stagecraft.facts.accounts import MADE_BY_US, Accounts, AccountsFact
from stagecraft.operations.scripts import run_script, script
from stagecraft.run import report_states
from stagecraft.seen import CompositeValue, State, Value

SHELL = "/bin/bash"


@dataclass(frozen=True)
class Admission(CompositeValue):
    """What keeps an account out: a group that it is not in, or a shell that allows no login."""

    missing_group: str = ""
    shell: str = ""

    def __str__(self) -> str:
        if self.missing_group:
            return f"is not in the group {self.missing_group}"
        return f"has the shell {self.shell}" if self.shell else "may log in and become root"


ADMITTED = Admission()


@operation()
def present(account: str, group: str) -> Generator[StringCommand]:
    """Ensures the account with a home and a shell, in the group, which is created if missing."""
    found: Accounts = host.get_fact(AccountsFact, group=group)
    known, name = found.by_name.get(account), shlex.quote(account)
    report_states(State("account", account, ADMITTED, admission(account, group, found)))
    if known and known.lets_in and account in (found.members or ()):
        return
    # In one command, so that a killed run leaves no account without its rights.
    commands = [f"groupadd --force --system {group}"]
    if known is None:
        commands.append(
            f"useradd --create-home --key HOME_MODE=0700 --shell {SHELL} --groups {group}"
            f" --comment {shlex.quote(MADE_BY_US)} {name}"
        )
    else:
        commands.append(f"usermod --append --groups {group} {name}")
        if not known.lets_in:
            commands.append(f"usermod --shell {SHELL} {name}")
    yield StringCommand(" && ".join(commands))


def admission(account: str, group: str, found: Accounts) -> Value:
    """Equals `ADMITTED` if nothing is missing."""
    known = found.by_name.get(account)
    if known is None:
        return ""
    if account not in (found.members or ()):
        return Admission(missing_group=group)
    return ADMITTED if known.lets_in else Admission(shell=known.shell)


@operation()
def released(account: str, group: str) -> Generator[StringCommand]:
    """Ensures that the account, which no run created, is not in the group; all else stays."""
    report_states(State("account", account, "", ADMITTED))
    yield StringCommand(f"gpasswd --delete {shlex.quote(account)} {group}")


@operation()
def absent(account: str, home: str) -> Generator[StringCommand]:
    """Ensures that the account and its processes are gone. Files in its home stay but become
    root's, because a later account with the same user id would inherit them. If the home was moved
    to a place with files of others, those stay unchanged."""
    report_states(State("account", account, "", ADMITTED))
    yield run_script(script("remove_account"), account, home)
