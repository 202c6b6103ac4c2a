"""Unix accounts: what is read of them, and what is done about them."""

from __future__ import annotations

import pwd
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from stagecraft.facts.accounts import Account, AccountFact
from stagecraft.operations import accounts

SITE = Account("site", "site", "site", "/var/www/site", "/usr/sbin/nologin")


def test_root_of_this_machine(read_here: Callable[..., Account]) -> None:
    entry = pwd.getpwnam("root")
    found = read_here(AccountFact, account="root")
    assert found == Account("root", "root", "root", entry.pw_dir, entry.pw_shell)


def test_an_account_that_is_not_there(read_here: Callable[..., Account]) -> None:
    assert read_here(AccountFact, account="nobody-of-this-name") == Account()


@pytest.mark.parametrize(
    ("present", "commands"),
    [
        (SITE, []),
        (Account(), ["groupadd --system site", "useradd --system --no-create-home"
                     " -g site -d /var/www/site -s /usr/sbin/nologin site"]),
        (Account(group="site"), ["useradd --system --no-create-home"
                                 " -g site -d /var/www/site -s /usr/sbin/nologin site"]),
        (replace(SITE, shell="/bin/bash"), ["usermod -s /usr/sbin/nologin site"]),
        (replace(SITE, home="/", primary_group="www-data"),
         ["usermod -g site -d /var/www/site site"]),
    ],
)  # fmt: skip
def test_what_is_done_about_an_account(
    monkeypatch: pytest.MonkeyPatch, present: Account, commands: list[str]
) -> None:
    class Host:
        def get_fact(self, fact: Any, **arguments: str) -> Account:
            assert (fact, arguments) == (AccountFact, {"account": "site"})
            return present

    monkeypatch.setattr(accounts, "host", Host())
    run = accounts.system_account._inner  # type: ignore[attr-defined]
    assert list(run(account="site", home="/var/www/site")) == commands
