"""People's accounts: whose they are, and what a run does about each."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest

from stagecraft.errors import ServerError
from stagecraft.facts.accounts import MADE_BY_US, Account, Accounts, AccountsFact
from stagecraft.settings import Host
from tasks import accounts

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA anna@laptop"
ADMIN = Account(1000, "/home/anna", "/bin/bash")
OURS = Account(1001, "/home/bob", "/bin/bash", MADE_BY_US)


def settings(*admins: str) -> Host:
    return Host(admins={name: [KEY] for name in admins or ("anna",)})


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A server with these accounts; what is done about them, by the operations' names."""
    done: list[str] = []

    def operation(name: str, **_: Any) -> None:
        done.append(name)

    @contextmanager
    def made_of(found: Accounts) -> Iterator[list[str]]:
        host = SimpleNamespace(name="one", data={}, get_fact=lambda *_, **__: found)
        monkeypatch.setattr(accounts, "host", host)
        operations = SimpleNamespace(present=operation, absent=operation, released=operation)
        monkeypatch.setattr(accounts, "admins", operations)
        monkeypatch.setattr(accounts.files, "tree", operation)
        yield done

    return made_of


def test_who_made_an_account_is_read_from_its_comment() -> None:
    lines = [
        "user anna:x:1000:1000:Anna,,,:/home/anna:/bin/bash",
        f"user bob:x:1001:1001:{MADE_BY_US}:/home/bob:/bin/bash",
        f"user ben:x:1002:1002:Ben Smith{MADE_BY_US}:/home/ben:/bin/bash",
        "group stagecraft:x:999:anna,bob",
    ]
    found = AccountsFact().process(lines)
    assert not found.by_name["anna"].made_by_us
    assert found.by_name["bob"].made_by_us
    assert found.by_name["ben"].made_by_us, "after `chfn --full-name`"
    assert found.members == {"anna", "bob"}


def test_only_an_account_that_a_run_made_is_removed(server: Any) -> None:
    found = Accounts({"anna": ADMIN, "bob": OURS}, frozenset({"anna", "bob"}))
    with server(found) as done:
        accounts.removed_accounts._inner(settings("carl"))
    assert done == [
        "Remove our rights from the account anna, which existed before and stays",
        "Remove the account bob; root owns its home",
    ]


def test_the_plan_says_that_somebody_s_account_is_used(server: Any) -> None:
    with server(Accounts({"anna": ADMIN}, None)) as done:
        accounts.accounts._inner(settings("anna", "bob"))
    assert done[1:] == [
        "Let the existing account anna become root",
        "Add the account bob",
        "Add the account deploy",
    ]


@pytest.mark.parametrize(
    "account",
    [Account(33, "/var/www", "/bin/bash"), Account(65534, "/nonexistent", "/usr/sbin/nologin")],
)
def test_no_admin_has_a_service_s_account(server: Any, account: Account) -> None:
    with server(Accounts({"anna": account}, None)) as done, pytest.raises(ServerError) as error:
        accounts.accounts._inner(settings("anna"))
    assert "anna is the account of a service" in str(error.value)
    assert done == []


def test_an_admin_whose_shell_somebody_closed_gets_it_back(server: Any) -> None:
    closed = Account(1001, "/home/bob", "/usr/sbin/nologin", MADE_BY_US)
    with server(Accounts({"bob": closed}, frozenset({"bob"}))) as done:
        accounts.accounts._inner(settings("bob"))
    assert "Add the account bob" in done
