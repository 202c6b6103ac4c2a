"""A schema with its app account and its migrator account.

pyinfra's `mysql.*` puts SQL and passwords into argv, and never notices a changed password or
collation; here SQL travels over stdin, and a login is tested with the declared password.
"""

import shlex
from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass, field

from pyinfra.api.command import StringCommand
from pyinfra.api.operation import operation
from pyinfra.context import host, state

from stagecraft.engines import Engine
from stagecraft.facts.database import (
    DatabaseAccount,
    DatabaseFact,
    DatabaseState,
    grant_level,
    identifier,
    literal,
)
from stagecraft.operations.files import Written
from stagecraft.operations.manifest import failed
from stagecraft.operations.services import pending
from stagecraft.paths import database_login
from stagecraft.run import report_states
from stagecraft.seen import State

APP_PRIVILEGES = frozenset({"SELECT", "INSERT", "UPDATE", "DELETE"})
MIGRATOR_PRIVILEGES = APP_PRIVILEGES | {
    "CREATE", "ALTER", "DROP", "INDEX", "REFERENCES", "CREATE VIEW", "TRIGGER", "LOCK TABLES",
}  # fmt: skip

UNLOGGED = "SET SESSION sql_log_off = ON, SESSION long_query_time = 3600"
"""The general and the slow query log may contain passwords as sent."""

ON_NO_TERMS = (
    "REQUIRE NONE WITH MAX_QUERIES_PER_HOUR 0 MAX_UPDATES_PER_HOUR 0 MAX_CONNECTIONS_PER_HOUR 0"
    " ACCOUNT UNLOCK"
)


@dataclass(frozen=True)
class DatabaseLogin:
    """A declared account. `password` is clear text; `connections` limits them (0: no limit)."""

    user: str
    password: str = field(repr=False)
    privileges: frozenset[str]
    connections: int = 0

    @property
    def option_file(self) -> str:
        """The file on the server with the password for clients."""
        return database_login(self.user)


def pattern(schema: str) -> str:
    """A schema's name in a GRANT, where `_` and `%` are wildcards."""
    return schema.replace("\\", "\\\\").replace("_", "\\_").replace("%", "\\%")


def schema_statements(
    name: str, charset: str, collation: str, database: DatabaseState
) -> list[str]:
    """The SQL that creates the schema or corrects its defaults; empty if nothing differs."""
    present = database.schemas.get(name)
    if present == (charset, collation):
        return []
    verb = "ALTER" if present else "CREATE"
    return [f"{verb} DATABASE {identifier(name)} CHARACTER SET {charset} COLLATE {collation}"]


def account_statements(
    login: DatabaseLogin, schema: str, present: DatabaseAccount | None
) -> list[str]:
    """The SQL that creates or corrects one account. It changes only what differs, and never revokes
    rights that the account keeps."""
    account = f"{literal(login.user)}@'localhost'"
    statements = []
    if present is None:
        statements.append(f"CREATE USER {account} IDENTIFIED BY {literal(login.password)}")
    elif not present.login_works or present.unusual:
        statements.append(
            f"ALTER USER {account} IDENTIFIED BY {literal(login.password)} {ON_NO_TERMS}"
        )
        if "max_statement_time" in present.unusual:  # MariaDB's alone
            statements.append(f"ALTER USER {account} WITH MAX_STATEMENT_TIME 0")
        if "additional_password" in present.unusual:  # MySQL's alone
            statements.append(f"ALTER USER {account} DISCARD OLD PASSWORD")
    if (present.connections if present else 0) != login.connections:
        limit = f"WITH MAX_USER_CONNECTIONS {login.connections}"
        statements.append(f"ALTER USER {account} {limit}")
    return statements + privilege_statements(login, account, schema, present)


def privilege_statements(
    login: DatabaseLogin, account: str, schema: str, present: DatabaseAccount | None
) -> list[str]:
    held = present.privileges if present else {}
    own = grant_level(pattern(schema))
    statements = []
    for level, privileges in sorted(held.items()):
        surplus = privileges - login.privileges if level == own else privileges
        statements += [f"REVOKE {name} ON {level} FROM {account}" for name in in_order(surplus)]
    lacking = sorted(login.privileges - held.get(own, set()))
    if lacking:
        statements.append(f"GRANT {', '.join(lacking)} ON {own} TO {account}")
    return statements


def in_order(surplus: set[str]) -> list[str]:
    """Privileges in the order of revocation: one by one, because a list of all would also revoke
    those on other levels; GRANT OPTION last, because dynamic privileges would stay otherwise."""
    return sorted(surplus, key=lambda name: (name == "GRANT OPTION", name))


def states(
    engine: Engine,
    schema: str,
    defaults: tuple[str, str],
    logins: Sequence[DatabaseLogin],
    present: DatabaseState,
) -> list[State]:
    """The states of the schema and its accounts; if the server does not answer, only that."""
    if not present.reachable:
        return [State("database server", engine.name, "answers root", "", through=engine.unit)]
    found = present.schemas.get(schema)
    return [
        State("database server", engine.name, "answers root", "answers root"),
        State("database", schema, " ".join(defaults), " ".join(found) if found else ""),
        *(
            State(
                "database user",
                f"{login.user}@localhost",
                declared_of(login, schema),
                present.accounts.get(login.user, ""),
            )
            for login in logins
        ),
    ]


def declared_of(login: DatabaseLogin, schema: str) -> DatabaseAccount:
    own = {grant_level(pattern(schema)): set(login.privileges)}
    return DatabaseAccount(login.connections, own, login_works=True)


@operation()
def schema(
    engine: Engine,
    database: str,
    charset: str,
    collation: str,
    logins: Sequence[DatabaseLogin],
    after: Sequence[Written] = (),
) -> Generator[StringCommand]:
    """Ensures the schema with its charset and collation, and exactly the declared accounts'
    passwords, limits and privileges. Does not touch other accounts.

    Args:
        after: what writes the option files; a changed password shows in the plan.
    """
    option_files = {login.user: login.option_file for login in logins}
    present: DatabaseState = host.get_fact(DatabaseFact, engine=engine.name, logins=option_files)
    report_states(*states(engine, database, (charset, collation), logins, present))
    statements = schema_statements(database, charset, collation, present)
    for login in logins:
        statements += account_statements(login, database, present.accounts.get(login.user))
    if statements or pending(after):
        yield executed([UNLOGGED, *statements], engine.execute)


@operation()
def locked(engine: Engine, users: Sequence[str]) -> Generator[StringCommand]:
    """Ensures that these accounts cannot log in. They keep their rights, because views and triggers
    that they defined depend on them. An account that is declared again is unlocked."""
    present: DatabaseState = host.get_fact(DatabaseFact, engine=engine.name, logins={})
    there = [user for user in users if user in present.accounts]
    report_states(
        *(State("database user", f"{user}@localhost", "", "may log in") for user in there)
    )
    if there:
        statements = [f"ALTER USER {literal(user)}@'localhost' ACCOUNT LOCK" for user in there]
        yield executed(statements, engine.execute)


@operation()
def dropped(engine: Engine, database: str, needed: Sequence[str]) -> Generator[StringCommand]:
    """Ensures that the schema is gone, with the accounts that we created for it alone, except those
    still `needed`. Does nothing after a failure in this run: what failed may still use the data."""
    present: DatabaseState = host.get_fact(DatabaseFact, engine=engine.name, logins={})
    report_states(State("database", database, "", "there" if database in present.schemas else ""))
    if database not in present.schemas or (state.is_executing and failed()):
        return
    users = [user for user in accounts_of(database, present) if user not in needed]
    statements = [f"DROP USER {literal(user)}@'localhost'" for user in users]
    statements.append(f"DROP DATABASE {identifier(database)}")
    option_files = shlex.join(database_login(user) for user in users)
    yield executed(statements, f"{engine.execute} && rm -f {option_files}")


def executed(statements: Iterable[str], command: str) -> StringCommand:
    return StringCommand(command, _stdin="".join(f"{statement};\n" for statement in statements))


def accounts_of(schema: str, database: DatabaseState) -> list[str]:
    """The accounts that Stagecraft created and that have rights on this schema only."""
    own = {grant_level(pattern(schema))}
    return sorted(
        user
        for user in database.option_files & database.accounts.keys()
        if database.accounts[user].privileges.keys() == own
    )
