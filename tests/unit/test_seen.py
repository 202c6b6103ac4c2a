"""What operations say they look after, and how they find it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from stagecraft.engines.mariadb import MARIADB
from stagecraft.facts.accounts import Account, Accounts
from stagecraft.facts.database import DatabaseAccount, DatabaseState
from stagecraft.facts.installation import Installation
from stagecraft.facts.services import Unit
from stagecraft.facts.system import System
from stagecraft.manifest import Manifest, Records, parse_manifests
from stagecraft.operations import (
    admins,
    database,
    manifest,
    packages,
    services,
    system,
    system_accounts,
)
from stagecraft.run import Run
from stagecraft.seen import State, Value


@pytest.fixture
def see(this_run: Run, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The states of an operation on a server where a fact says so."""

    def run(module: Any, operation: Any, fact: Any, **arguments: Any) -> list[State]:
        monkeypatch.setattr(module, "host", SimpleNamespace(get_fact=lambda *_, **__: fact))
        monkeypatch.setattr(module, "state", SimpleNamespace(is_executing=True), raising=False)
        monkeypatch.setattr(module, "failed", list, raising=False)
        list(operation._inner(**arguments))
        return list(this_run.states())

    return run


UNIT = {"unit": "a.service", "files": {}, "after": [], "trees": [], "refresh": ""}


@pytest.mark.parametrize(
    ("unit", "found"),
    [
        (Unit("loaded", "active", "enabled"), services.RUNNING),
        (Unit("loaded", "active", "enabled", outdated=True, newer="/x"), services.RUNNING),
        (Unit("loaded", "inactive", "static", unneeded=True), services.RUNNING),
        (Unit("loaded", "failed", "enabled"), services.Condition("failed", at_boot=True)),
        (Unit("loaded", "active", "disabled"), services.Condition("active", at_boot=False)),
        (Unit("masked", "inactive", "masked"), services.Condition("inactive", at_boot=False)),
        (Unit(), ""),
    ],
)
def test_a_unit(see: Any, unit: Unit, found: Value) -> None:
    assert see(services, services.run, unit, **UNIT) == [
        State("service", "a.service", services.RUNNING, found)
    ]


def test_what_only_follows_sees_nothing(see: Any, this_run: Run) -> None:
    unit = Unit("loaded", "active", "enabled", outdated=True)
    assert see(services, services.known, unit, unit="a.service", unit_files=[]) == []
    assert this_run.seen == {"an operation": []}


def test_packages(see: Any) -> None:
    seen = see(
        packages,
        packages.install,
        Installation(frozenset({"acl"})),
        packages=["acl", "sudo"],
        never_started=[],
        may_upgrade=False,
    )
    assert [(state.thing, state.as_declared) for state in seen] == [("acl", True), ("sudo", False)]


@pytest.mark.parametrize(
    ("found", "stands"),
    [
        (System(hostname="a a", hosts=frozenset({"a"})), {"host name": True, "hosts entry": True}),
        (System(hostname="b a", hosts=frozenset({"a"})), {"host name": False, "hosts entry": True}),
        (System(hostname="a a"), {"host name": True, "hosts entry": False}),
    ],
)
def test_the_name_of_the_machine(see: Any, found: System, stands: dict[str, bool]) -> None:
    seen = see(system, system.called, found, hostname="a")
    assert {state.kind: state.as_declared for state in seen} == stands


@pytest.mark.parametrize(
    ("account", "members", "found"),
    [
        (Account(1000, "/home/anna", "/bin/bash"), {"anna"}, admins.ADMITTED),
        (Account(1000, "/home/anna", "/bin/bash"), set(), admins.Admission(missing_group="g")),
        (Account(1000, "/home/anna", "/usr/sbin/nologin"), {"anna"},
         admins.Admission(shell="/usr/sbin/nologin")),
        (None, {"anna"}, ""),
    ],
)  # fmt: skip
def test_an_admin(see: Any, account: Account | None, members: set[str], found: Value) -> None:
    known = Accounts({"anna": account} if account else {}, frozenset(members))
    seen = see(admins, admins.present, known, account="anna", group="g")
    assert seen == [State("account", "anna", admins.ADMITTED, found)]


@pytest.mark.parametrize(
    ("account", "stands"),
    [
        (Account(990, "/a", system_accounts.NO_LOGIN, gid=980), True),
        (Account(990, "/a", "/bin/bash", gid=980), False),
        (Account(990, "/a", system_accounts.NO_LOGIN, gid=33), False),
        (None, False),
    ],
)
def test_a_service_s_account(see: Any, account: Account | None, stands: bool) -> None:
    known = Accounts({"a": account} if account else {}, gid=980)
    (seen,) = see(system_accounts, system_accounts.system_account, known, account="a", home="/a")
    assert seen.as_declared == stands


LOGIN = database.DatabaseLogin("app", "hunter2", database.APP_PRIVILEGES, 60)
OWN = {"`a\\_b`.*": set(database.APP_PRIVILEGES)}


@pytest.mark.parametrize(
    ("account", "wrong"),
    [
        (DatabaseAccount(60, OWN, login_works=True), []),
        (DatabaseAccount(60, OWN), ["database user"]),
        (DatabaseAccount(0, OWN, login_works=True), ["database user"]),
        (DatabaseAccount(60, OWN | {"*.*": {"SUPER"}}, login_works=True), ["database user"]),
        (DatabaseAccount(60, {"`a\\_b`.*": {"SELECT"}}, login_works=True), ["database user"]),
        (None, ["database user"]),
    ],
)
def test_a_database(see: Any, account: DatabaseAccount | None, wrong: list[str]) -> None:
    found = DatabaseState(
        True, set(), {"a_b": ("utf8mb4", "c")}, {"app": account} if account else {}
    )
    seen = see(
        database, database.schema, found,
        engine=MARIADB, database="a_b", charset="utf8mb4", collation="c", logins=[LOGIN],
    )  # fmt: skip
    assert [state.kind for state in seen if not state.as_declared] == wrong
    assert "hunter2" not in repr(seen)


def test_of_a_database_that_does_not_answer_nothing_is_known(see: Any) -> None:
    (seen,) = see(
        database, database.schema, DatabaseState(),
        engine=MARIADB, database="a_b", charset="utf8mb4", collation="c", logins=[LOGIN],
    )  # fmt: skip
    assert seen.through == "mariadb.service"


# --- The manifest ---


def test_states_are_recorded_but_for_what_shall_not_be() -> None:
    there, gone = State("package", "acl", "installed", ""), State("account", "eve", "", "there")
    assert recorded(there, there, gone).states == {"package acl": "installed"}


def test_what_is_recorded_of_an_account_has_no_order() -> None:
    login = DatabaseAccount(60, {"`a`.*": {"UPDATE", "SELECT"}}, login_works=True)
    assert recorded(State("database user", "a", login, "")).states["database user a"] == {
        "connections": 60,
        "privileges": {"`a`.*": ["SELECT", "UPDATE"]},
        "login_works": True,
        "unusual": "",
    }


def recorded(*states: State) -> Records:
    text = Manifest("x").text(Records(), states)
    return parse_manifests(["== x", *text.splitlines()])["x"]


def test_what_secrets_are_made_of_is_compared_with_what_was_applied(
    see: Any, this_run: Run
) -> None:
    def secrets(records: Any, values: str) -> tuple[str, str]:
        (seen,) = see(manifest, manifest.recorded, records, secrets={"a": ("s", values)})
        return str(seen.declared), str(seen.found)

    first = secrets({}, "v")
    assert first == ("settings s, values v", "settings s, values v")
    records = {"staging": recorded(*this_run.states())}
    assert secrets(records, "w") == ("settings s, values w", "settings s, values v")
    assert secrets(records, "") == ("settings s, values v", "settings s, values v")
