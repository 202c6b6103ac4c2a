"""People's accounts: whose they are, and what a run does about each."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest

from stagecraft.errors import ServerError
from stagecraft.facts.access import CurrentAccess
from stagecraft.facts.accounts import MADE_BY_US, Account, Accounts, AccountsFact
from stagecraft.operations.nodes import File
from stagecraft.settings import Host, Server
from tasks import access, accounts

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
        monkeypatch.setattr(accounts, "system_account", operation)
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


# --- CI ---

CI = Account(990, "/var/lib/stagecraft/ci", "/bin/sh")


def with_ci(*environments: str) -> Host:
    return Host(admins={"anna": [KEY]}, ci={name: [KEY] for name in environments})


def test_ci_has_an_account_for_each_environment(server: Any) -> None:
    with server(Accounts({"ci_staging": CI}, frozenset({"anna"}))) as done:
        accounts.accounts._inner(with_ci("staging", "production"))
    program = "/usr/local/sbin/stagecraft"
    assert done[-2:] == [
        f"Add the account ci_production, which may run {program} ci production",
        f"Add the account ci_staging, which may run {program} ci staging",
    ]


def test_an_account_of_others_does_not_become_ci_s(server: Any) -> None:
    with server(Accounts({"ci_staging": ADMIN}, None)) as done, pytest.raises(ServerError) as error:
        accounts.accounts._inner(with_ci("staging"))
    assert "there is an account ci_staging already (user id 1000)" in str(error.value)
    assert done == []


def test_the_account_of_an_environment_without_ci_is_removed(server: Any) -> None:
    found = Accounts({"ci_staging": CI, "ci_qa": CI, "ci_by_hand": ADMIN}, frozenset())
    with server(found) as done:
        accounts.removed_accounts._inner(with_ci("staging"))
    assert done == ["Remove the account ci_qa"]


def test_ci_s_sudo_rules_are_one_command_each() -> None:
    rules, home, _ = accounts.sudo(with_ci("qa", "staging"))
    assert isinstance(rules, File) and home.path == CI.home
    run = "/usr/bin/systemd-run --quiet --scope --slice"
    lines = [line for line in rules.content.splitlines() if line and not line.startswith("#")]
    assert lines == [
        "%stagecraft ALL=(ALL:ALL) NOPASSWD: ALL",
        'Defaults:ci_qa env_keep = "SSH_ORIGINAL_COMMAND"',
        f"ci_qa ALL=(root) NOPASSWD: {run} stagecraft-ci_qa.slice /usr/local/sbin/stagecraft ci qa",
        'Defaults:ci_staging env_keep = "SSH_ORIGINAL_COMMAND"',
        f"ci_staging ALL=(root) NOPASSWD: {run} stagecraft-ci_staging.slice"
        " /usr/local/sbin/stagecraft ci staging",
    ]
    assert [node.path for node in accounts.sudo(with_ci())] == [accounts.SUDOERS]


def test_the_plan_names_a_key_of_ci_that_goes() -> None:
    gone = with_ci("staging").keys("ci_staging")
    current = CurrentAccess(keys={"ci_staging": gone, "anna": [KEY]})
    server = Server(name="one", address="192.0.2.1", host=with_ci("qa"))
    assert access.described(server, with_ci("qa"), current).endswith(
        "only for anna, ci_qa, deploy, and open ports 80/tcp, 443/tcp to everybody;"
        " remove ci_staging's key anna@laptop"
    )
