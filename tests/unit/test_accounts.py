"""Unix accounts: what is read of them, and what is done about them."""

from __future__ import annotations

import pwd
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from stagecraft.facts.accounts import Account, Accounts, AccountsFact
from stagecraft.operations import system_accounts

SITE = Account(990, "/var/www/site", "/usr/sbin/nologin", gid=980)
ALL = "-g site -d /var/www/site -s /usr/sbin/nologin site"


def test_root_of_this_machine(read_here: Callable[..., Accounts]) -> None:
    entry = pwd.getpwnam("root")
    found = read_here(AccountsFact, group="root")
    assert found.by_name["root"] == Account(0, entry.pw_dir, entry.pw_shell, entry.pw_gecos, 0)
    assert found.gid == 0


def test_a_group_that_is_not_there(read_here: Callable[..., Accounts]) -> None:
    found = read_here(AccountsFact, group="nobody-of-this-name")
    assert (found.members, found.gid) == (None, None)


@pytest.mark.parametrize(
    ("present", "gid", "commands"),
    [
        (SITE, 980, []),
        (None, None, ["groupadd --system site", f"useradd --system --no-create-home {ALL}"]),
        (None, 980, [f"useradd --system --no-create-home {ALL}"]),
        (replace(SITE, shell="/bin/bash"), 980, [f"usermod {ALL}"]),
        (replace(SITE, home="/", gid=33), 980, [f"usermod {ALL}"]),
        (SITE, None, ["groupadd --system site", f"usermod {ALL}"]),
    ],
)
def test_what_is_done_about_an_account(
    monkeypatch: pytest.MonkeyPatch,
    present: Account | None,
    gid: int | None,
    commands: list[str],
) -> None:
    class Host:
        def get_fact(self, fact: Any, **arguments: str) -> Accounts:
            assert (fact, arguments) == (AccountsFact, {"group": "site"})
            return Accounts({"site": present} if present else {}, gid=gid)

    monkeypatch.setattr(system_accounts, "host", Host())
    run = system_accounts.system_account._inner  # type: ignore[attr-defined]
    assert list(run(account="site", home="/var/www/site")) == commands
