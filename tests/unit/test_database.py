"""A schema and its accounts: only what differs is changed, and no name or password becomes SQL."""

from __future__ import annotations

import json
import re
import shlex
from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any

import pytest

from stagecraft.engines.mariadb import MARIADB
from stagecraft.errors import ServerError
from stagecraft.facts.database import (
    DatabaseAccount,
    DatabaseFact,
    DatabaseState,
    authentication,
    columns,
    grant_level,
    identifier,
)
from stagecraft.facts.database_insides import Code, DatabaseInsidesFact, Insides
from stagecraft.operations import database
from stagecraft.operations.database import (
    APP_PRIVILEGES,
    MIGRATOR_PRIVILEGES,
    ON_NO_TERMS,
    DatabaseLogin,
    account_statements,
    literal,
    pattern,
    schema_statements,
)
from tasks import database as task


def test_a_name_is_one_value_whatever_is_in_it() -> None:
    """As the clients print it in batch mode."""
    row = r"a\tb\nschema\\n"
    assert columns(f"schema\t{row}\tutf8") == ["schema", "a\tb\nschema\\n", "utf8"]


OWN = r"`askpro\_staging`.*"

ROWS = """\
schema	askpro_staging	utf8mb4	utf8mb4_unicode_ci
account	askpro	localhost	60
account	askpro	%	0
account	root	localhost	0
privilege	'askpro'@'localhost'	*	*	USAGE		NO
privilege	'askpro'@'localhost'	askpro\\\\_staging	*	SELECT		NO
privilege	'askpro'@'localhost'	askpro\\\\_staging	*	INSERT		NO
privilege	'askpro'@'%'	*	*	SUPER		YES
login	askpro	works""".splitlines()


def a_login(privileges: frozenset[str] = APP_PRIVILEGES, **values: Any) -> DatabaseLogin:
    defaults: dict[str, Any] = {
        "user": "askpro",
        "password": "hunter2",
        "connections": 60,
    }
    return DatabaseLogin(privileges=privileges, **defaults | values)


def an_account(**values: Any) -> DatabaseAccount:
    defaults: dict[str, Any] = {
        "connections": 60,
        "privileges": {OWN: set(APP_PRIVILEGES)},
        "login_works": True,
    }
    return DatabaseAccount(**defaults | values)


# --- What the server holds ---


def test_schemas_accounts_and_privileges_are_read() -> None:
    found = DatabaseFact().process(ROWS)
    assert found.reachable
    assert found.schemas == {"askpro_staging": ("utf8mb4", "utf8mb4_unicode_ci")}
    assert found.accounts["askpro"] == DatabaseAccount(
        60, {OWN: {"SELECT", "INSERT"}}, login_works=True
    )


def test_an_account_of_the_same_name_on_another_host_is_another_account() -> None:
    assert "SUPER" not in str(DatabaseFact().process(ROWS).accounts)


def test_a_server_that_is_down_is_a_finding_and_no_crash() -> None:
    assert DatabaseFact().process([]) == DatabaseState(reachable=False)


@pytest.mark.parametrize(
    ("row", "held"),
    [
        ("*\t*\tSUPER\t\tNO", {"*.*": {"SUPER"}}),
        ("a\\\\_b\t*\tSELECT\t\tYES", {r"`a\_b`.*": {"SELECT", "GRANT OPTION"}}),
        ("a\t*\tUSAGE\t\tYES", {"`a`.*": {"GRANT OPTION"}}),
        ("a\tt\tDELETE\t\tNO", {"`a`.`t`": {"DELETE"}}),
        ("a\tt\tSELECT\tc\tNO", {"`a`.`t`": {"SELECT (`c`)"}}),
        ("*\t*\tUSAGE\t\tNO", {}),
    ],
    ids=["global", "grantable", "only-grantable", "table", "column", "none"],
)
def test_a_privilege_is_read_as_revoke_names_it(row: str, held: dict[str, set[str]]) -> None:
    lines = ["account\tx\tlocalhost\t0", f"privilege\t'x'@'localhost'\t{row}"]
    assert DatabaseFact().process(lines).accounts["x"].privileges == held


@pytest.mark.parametrize(
    ("answer", "works"),
    [
        ("works", True),
        ("ERROR 1045 (28000): Access denied for user 'askpro'@'localhost'", False),
        ("ERROR 1226 (42000): User 'askpro' has exceeded 'max_user_connections'", True),
        ("ERROR 1203 (42000): User askpro already has more than 'max_user_connections'", True),
        ("", False),
    ],
)
def test_a_login_is_judged_by_its_password_not_by_how_busy_it_is(answer: str, works: bool) -> None:
    lines = ["account\taskpro\tlocalhost\t0", f"login\taskpro\t{answer}"]
    assert DatabaseFact().process(lines).accounts["askpro"].login_works is works


def test_a_login_without_an_account_is_none() -> None:
    assert (
        DatabaseFact().process(["login\taskpro\tERROR 1045 (28000): Access denied"]).accounts == {}
    )


# --- The command, with a stand-in for the client ---


LOGINS = {"good user's": "/etc/my $(echo files)/good.cnf", "bad": "/bad.cnf"}


def test_every_login_is_tried_from_its_own_option_file(read_here: Any, stand_in: Any) -> None:
    stand_in(
        "mariadb",
        "case $1 in\n"
        "--batch) printf 'account\\tbad\\tlocalhost\\t0\\n';"
        '         printf "account\\tgood user\'s\\tlocalhost\\t7\\n" ;;\n'
        "'--defaults-file=/etc/my $(echo files)/good.cnf') ;;\n"
        "*) echo 'ERROR 1045 (28000): Access denied' >&2; exit 1 ;;\n"
        "esac",
    )
    found = read_here(DatabaseFact, engine="mariadb", logins=LOGINS)
    assert {name: account.login_works for name, account in found.accounts.items()} == {
        "good user's": True,
        "bad": False,
    }


def test_a_bare_server_without_a_client_is_not_reachable(read_here: Any) -> None:
    found = read_here(DatabaseFact, engine="mysql", logins=LOGINS)
    assert (found.reachable, found.accounts) == (False, {})


def test_a_stopped_server_is_not_reachable(read_here: Any, stand_in: Any) -> None:
    stand_in("mysql", 'echo "ERROR 2002 (HY000): Can\'t connect" >&2; exit 1')
    found = read_here(DatabaseFact, engine="mysql", logins=LOGINS)
    assert (found.reachable, found.accounts) == (False, {})


# --- Names and texts in SQL ---


@pytest.mark.parametrize(
    ("text", "sql"),
    [
        ("hunter2", "'hunter2'"),
        ("it's", "'it''s'"),
        ("back\\slash", r"'back\\slash'"),
        (r"\'; DROP DATABASE x; -- ", r"'\\''; DROP DATABASE x; -- '"),
        ("", "''"),
    ],
)
def test_no_text_leaves_its_literal(text: str, sql: str) -> None:
    assert literal(text) == sql


def test_no_name_leaves_its_identifier() -> None:
    assert identifier("a`b.c") == "`a``b.c`"


def test_an_underscore_in_a_grant_is_no_wildcard() -> None:
    assert grant_level(pattern("askpro_staging")) == OWN
    assert pattern("a%b\\c") == r"a\%b\\c"


# --- The schema ---


def a_server(charset: str = "utf8mb4", collation: str = "utf8mb4_unicode_ci") -> DatabaseState:
    return DatabaseState(reachable=True, schemas={"askpro": (charset, collation)})


def statements_for(found: DatabaseState) -> list[str]:
    return schema_statements("askpro", "utf8mb4", "utf8mb4_unicode_ci", found)


def test_the_collations_of_the_server_are_asked_for_by_name() -> None:
    for engine, column in (("mariadb", "FULL_COLLATION_NAME"), ("mysql", "COLLATION_NAME")):
        command = DatabaseFact().command(engine=engine, logins={}, collations=["utf8mb4_bin", "a"])
        _, _, condition = command.partition(f"WHERE {column} IN (")
        assert re.findall(r"\w+", condition.partition(")")[0]) == ["utf8mb4_bin", "a"]
    assert "collation" not in DatabaseFact().command(engine="mysql", logins={})


@pytest.mark.parametrize(
    ("present", "refused"),
    [
        ("schema\taskpro\tutf8mb4\tutf8mb4_bin\ncollation\tutf8mb4\tutf8mb4_unicode_ci", False),
        ("schema\taskpro\tutf8mb4\tutf8mb4_bin\ncollation\tutf8mb3\tutf8mb4_unicode_ci", True),
        ("schema\taskpro\tutf8mb4\tutf8mb4_bin", True),
        ("", False),
    ],
    ids=["there", "of another charset", "not there", "no server yet"],
)
def test_a_collation_that_the_server_does_not_have_is_refused(
    monkeypatch: pytest.MonkeyPatch,
    make_site: Any,
    make_environment: Any,
    present: str,
    refused: bool,
) -> None:
    monkeypatch.setattr(task, "host", SimpleNamespace(name="askpro-1"))
    database = DatabaseFact().process(present.splitlines())
    environment = make_environment(make_site())
    error = pytest.raises(ServerError, match="has no utf8mb4_unicode_ci for the charset utf8mb4")
    with error if refused else nullcontext():
        task.refuse_unknown_collations(environment, database)


def test_a_missing_schema_is_made_with_charset_and_collation() -> None:
    assert statements_for(DatabaseState()) == [
        "CREATE DATABASE `askpro` CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci"
    ]


def test_another_collation_is_corrected() -> None:
    (statement,) = statements_for(a_server(collation="utf8mb4_0900_ai_ci"))
    assert statement.startswith("ALTER DATABASE `askpro`")


def test_a_schema_that_stands_is_left_alone() -> None:
    assert statements_for(a_server()) == []


# --- Accounts ---


def account(login: DatabaseLogin, present: DatabaseAccount | None) -> list[str]:
    return account_statements(login, "askpro_staging", present)


def test_a_missing_account_is_made_with_its_limit_and_its_rights() -> None:
    assert account(a_login(), None) == [
        "CREATE USER 'askpro'@'localhost' IDENTIFIED BY 'hunter2'",
        "ALTER USER 'askpro'@'localhost' WITH MAX_USER_CONNECTIONS 60",
        f"GRANT DELETE, INSERT, SELECT, UPDATE ON {OWN} TO 'askpro'@'localhost'",
    ]


def test_an_account_that_stands_is_left_alone() -> None:
    assert account(a_login(), an_account()) == []


def test_a_password_that_does_not_work_is_set() -> None:
    (statement,) = account(a_login(password="it's"), an_account(login_works=False))
    assert statement.startswith("ALTER USER 'askpro'@'localhost' IDENTIFIED BY 'it''s'")


@pytest.mark.parametrize("limit", [0, 61])
def test_another_limit_of_connections_is_corrected(limit: int) -> None:
    (statement,) = account(a_login(connections=limit), an_account())
    assert statement == f"ALTER USER 'askpro'@'localhost' WITH MAX_USER_CONNECTIONS {limit}"


def test_only_lacking_privileges_are_granted() -> None:
    present = an_account(privileges={OWN: {"SELECT", "INSERT"}})
    assert account(a_login(), present) == [f"GRANT DELETE, UPDATE ON {OWN} TO 'askpro'@'localhost'"]


def test_only_surplus_privileges_are_revoked() -> None:
    present = an_account(privileges={OWN: {*APP_PRIVILEGES, "DROP", "INDEX"}})
    assert account(a_login(), present) == [
        f"REVOKE DROP ON {OWN} FROM 'askpro'@'localhost'",
        f"REVOKE INDEX ON {OWN} FROM 'askpro'@'localhost'",
    ]


def test_the_right_to_give_rights_away_is_revoked() -> None:
    present = an_account(privileges={OWN: {*APP_PRIVILEGES, "GRANT OPTION"}})
    assert account(a_login(), present) == [
        f"REVOKE GRANT OPTION ON {OWN} FROM 'askpro'@'localhost'"
    ]


@pytest.mark.parametrize("level", ["*.*", "`production`.*", "`askpro_staging`.*", "`p`.`users`"])
def test_rights_anywhere_else_are_revoked(level: str) -> None:
    """`askpro_staging` unescaped is somewhere else: it also matches askproXstaging."""
    privileges = {OWN: set(APP_PRIVILEGES), level: {"SELECT"}}
    assert account(a_login(), an_account(privileges=privileges)) == [
        f"REVOKE SELECT ON {level} FROM 'askpro'@'localhost'"
    ]


def test_the_app_cannot_change_tables_and_the_migrator_cannot_give_rights_away() -> None:
    assert not APP_PRIVILEGES & {"CREATE", "ALTER", "DROP", "INDEX", "TRIGGER", "GRANT OPTION"}
    assert MIGRATOR_PRIVILEGES >= APP_PRIVILEGES
    assert not MIGRATOR_PRIVILEGES & {"GRANT OPTION", "SUPER", "FILE", "CREATE USER", "RELOAD"}


# --- The operation ---


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch) -> Any:
    def run(found: DatabaseState, will_change: bool = False) -> list[Any]:
        asked: dict[str, Any] = {}

        def get_fact(_: Any, **arguments: Any) -> DatabaseState:
            asked.update(arguments)
            return found

        monkeypatch.setattr(database, "host", SimpleNamespace(get_fact=get_fact))
        after: Any = [SimpleNamespace(will_change=will_change)]
        monkeypatch.setattr(database, "pending", lambda changes: changes[0].will_change)
        yielded = list(
            database.schema._inner(
                engine=MARIADB,
                database="askpro_staging",
                charset="utf8mb4",
                collation="utf8mb4_unicode_ci",
                logins=[a_login()],
                after=after,
            )
        )
        assert "hunter2" not in str(asked)
        return yielded

    return run


CONVERGED = DatabaseState(
    reachable=True,
    schemas={"askpro_staging": ("utf8mb4", "utf8mb4_unicode_ci")},
    accounts={"askpro": an_account()},
)


def test_a_converged_server_gets_no_command(commands: Any) -> None:
    assert commands(CONVERGED) == []


def test_the_plan_shows_a_password_that_is_about_to_change(commands: Any) -> None:
    assert len(commands(CONVERGED, will_change=True)) == 1


def test_sql_travels_on_standard_input_and_passwords_nowhere_else(commands: Any) -> None:
    (command,) = commands(DatabaseState())
    assert "hunter2" not in repr(command) + command.get_raw_value()
    assert shlex.split(command.get_raw_value()) == shlex.split(MARIADB.execute)
    sql = command.connector_arguments["_stdin"]
    assert "IDENTIFIED BY 'hunter2';\n" in sql
    assert all(line.endswith(";") for line in sql.splitlines())


def test_the_general_log_is_off_before_a_password_is_sent(commands: Any) -> None:
    (command,) = commands(DatabaseState())
    first, *_ = command.connector_arguments["_stdin"].splitlines()
    assert re.search(r"sql_log_off = ON", first)


def test_a_login_does_not_show_its_password() -> None:
    assert "hunter2" not in repr(a_login())


# --- How accounts log in ---


@pytest.mark.parametrize(
    ("values", "ways"),
    [
        ({"plugin": "auth_socket", "authentication_string": "root"}, ("auth_socket: root",)),
        (
            {
                "access": 0,
                "plugin": "mysql_native_password",
                "authentication_string": "set",
                "auth_or": [{"plugin": "unix_socket"}, {}],
                "ssl_type": 0,
                "ssl_cipher": "",
                "max_questions": 5,
                "account_locked": True,
            },
            ("mysql_native_password: set", "unix_socket", "account_locked", "max_questions 5"),
        ),
        (
            {"plugin": "caching_sha2_password", "attributes": ["additional_password"]},
            ("caching_sha2_password", "attributes ['additional_password']"),
        ),
    ],
)
def test_every_way_to_log_in_and_its_terms_are_read(
    values: dict[str, Any], ways: tuple[str, ...]
) -> None:
    assert authentication(json.dumps(values)) == ways


@pytest.mark.parametrize(
    ("plugin", "hash", "unusual"),
    [
        ("mysql_native_password", "set", ""),
        ("caching_sha2_password", "set", ""),
        ("mysql_native_password", "", "mysql_native_password"),
        ("unix_socket", "", "unix_socket"),
    ],
)
def test_only_a_password_is_the_usual_way(plugin: str, hash: str, unusual: str) -> None:
    how = json.dumps({"plugin": plugin, "authentication_string": hash})
    lines = ["account\taskpro\tlocalhost\t0", f"authentication\taskpro\tlocalhost\t{how}"]
    assert DatabaseFact().process(lines).accounts["askpro"].unusual == unusual


def test_another_way_to_log_in_is_taken_back() -> None:
    present = an_account(unusual="caching_sha2_password: set, attributes ['additional_password']")
    [again, forgotten] = account_statements(a_login(), "askpro_staging", present)
    assert again.startswith("ALTER USER") and again.endswith(ON_NO_TERMS)
    assert forgotten.endswith("DISCARD OLD PASSWORD")
    assert present != an_account()


# --- What acts in the server ---


def test_what_acts_in_the_server_is_read() -> None:
    insides = DatabaseInsidesFact().process(
        [
            "loads\tprovider_bzip2",
            'authentication\troot\tlocalhost\t{"plugin": "unix_socket"}',
            "proxy\troot\tlocalhost\t\t",
            "code\tEVENT\tshop\ta\\tb\troot@localhost",
            "plugin\tAUDIT\tserver_audit.so",
            "plugin\tprovider_bzip2\tprovider_bzip2.so",
            "function\tsys_exec\tudf.so",
            "server\tcrm\t198.51.100.9",
            "replicas",
            "\t\t\t198.51.100.9\tanna",
        ]
    )
    assert insides == Insides(
        authentication={"root@localhost": ("unix_socket",)},
        proxies=[("root@localhost", "@")],
        code=[Code("EVENT", "shop", "a\tb", "root@localhost")],
        plugins={"server_audit.so": ["AUDIT"]},
        functions={"sys_exec": "udf.so"},
        servers={"crm": "198.51.100.9"},
        replicated={"": "198.51.100.9"},
    )


def test_a_site_s_own_code_is_not_asked_for() -> None:
    command = DatabaseInsidesFact().command("mariadb", {"shop": ["shop's@localhost"]})
    [asked] = shlex.split(command.partition("\noptions=")[0])
    assert "('shop', 'shop''s@localhost')" in " ".join(shlex.split(asked))
