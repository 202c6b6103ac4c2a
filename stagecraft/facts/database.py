"""The database server's schemas, accounts and privileges, and whether our logins work."""

import json
import re
from dataclasses import dataclass, field

from stagecraft.engines import ENGINES
from stagecraft.facts.reading import Fact, by_kind
from stagecraft.paths import DATABASE_LOGINS
from stagecraft.seen import CompositeValue

CONNECTIONS_EXHAUSTED = re.compile(r"^ERROR (1203|1226) ")
"""The account is at its connection limit, which the server checks after the password."""


WAY = ("plugin", "authentication_string")

TERMS = (
    *("account_locked", "password_expired", "ssl_type", "max_questions", "max_updates"),
    *("max_connections", "max_statement_time", "attributes"),
)

BY_PASSWORD = {("mysql_native_password: set",), ("caching_sha2_password: set",)}
"""How an account logs in that was created with a password, by MariaDB and by MySQL."""


@dataclass
class DatabaseAccount(CompositeValue):
    """A database account on localhost. `privileges` maps the level (what follows ON in a GRANT) to
    the privileges there, including GRANT OPTION. `unusual` is how it may log in, unless that is by
    one password, on no terms."""

    connections: int = 0
    privileges: dict[str, set[str]] = field(default_factory=dict)
    login_works: bool = False
    unusual: str = ""

    def __str__(self) -> str:
        rights = [
            f"{', '.join(sorted(privileges))} on {level}"
            for level, privileges in sorted(self.privileges.items())
        ]
        password = "the declared password" if self.login_works else "another password"
        limit = self.connections or "any number of"
        said = f"{'; '.join(rights) or 'no rights'}; {limit} connections; {password}"
        return f"{said}; logs in by {self.unusual}" if self.unusual else said


@dataclass
class DatabaseState:
    """`reachable` is False if the server does not run. `by_tcp` are the accounts (`user@host`) that
    cannot use the socket. `collations` are the requested (charset, collation) pairs it has."""

    reachable: bool = False
    option_files: set[str] = field(default_factory=set)
    schemas: dict[str, tuple[str, str]] = field(default_factory=dict)
    accounts: dict[str, DatabaseAccount] = field(default_factory=dict)
    by_tcp: set[str] = field(default_factory=set)
    collations: set[tuple[str, str]] = field(default_factory=set)


def authentication(text: str) -> tuple[str, ...]:
    """How an account may log in, from the JSON of `Engine.authentication`: its plugins, each with
    what stands for its hash, and then all terms."""
    values = json.loads(text)
    ways = [way or values for way in values.get("auth_or", ())] or [values]
    said = (": ".join(filter(None, map(way.get, WAY))) for way in ways)
    terms = ((name, values.get(name)) for name in TERMS)
    return (*sorted(said), *(name if v is True else f"{name} {v}" for name, v in terms if v))


def columns(row: str) -> list[str]:
    """The values of a row in the client's batch mode, which escapes tabs and line ends in names."""
    spelt = {"n": "\n", "t": "\t", "0": "\0"}
    return [
        re.sub(r"\\(.)", lambda match: spelt.get(match[1], match[1]), value)
        for value in row.split("\t")
    ]


def literal(text: str) -> str:
    """A string literal; valid in every sql_mode with backslash escapes, which is the default."""
    escaped = text.replace("\\", "\\\\").replace("'", "''")
    return f"'{escaped}'"


def identifier(name: str) -> str:
    escaped = name.replace("`", "``")
    return f"`{escaped}`"


def grant_level(schema: str, table: str = "*") -> str:
    """What follows ON in a GRANT, where a schema's name is a pattern; `*` means all tables."""
    return ".".join(name if name == "*" else identifier(name) for name in (schema, table))


def add_privilege(account: DatabaseAccount, row: list[str]) -> None:
    schema, table, privilege, column, grantable = row
    held = {f"{privilege} ({identifier(column)})" if column else privilege}
    if grantable == "YES":
        held.add("GRANT OPTION")
    held.discard("USAGE")  # means no privileges
    if held:
        account.privileges.setdefault(grant_level(schema, table), set()).update(held)


class DatabaseFact(Fact[DatabaseState]):
    """The state that root sees through the socket. `logins` maps each account to the option file
    with its password; the login test reads that file, so that no secret is in the command.
    `option_files` lists the accounts of all existing option files."""

    def command(
        self, engine: str, logins: dict[str, str], collations: list[str] | None = None
    ) -> str:
        server = ENGINES[engine]
        query = server.content + server.by_tcp + server.authentication
        query += server.collations(collations) if collations else ""
        tries = "\n".join(f"{user}\t{path}" for user, path in sorted(logins.items()))
        return self.script(
            ask=server.ask(query), client=server.client, directory=DATABASE_LOGINS, logins=tries
        )

    def process(self, output: list[str]) -> DatabaseState:
        rows = {kind: [*map(columns, lines)] for kind, lines in by_kind(output).items()}
        accounts = {
            user: DatabaseAccount(connections=int(connections))
            for user, host, connections in rows.get("account", ())
            if host == "localhost"
        }
        for grantee, *privilege in rows.get("privilege", ()):
            user, _, host = grantee.rpartition("@")
            account = accounts.get(user.strip("'"))
            if account and host == "'localhost'":
                add_privilege(account, privilege)
        for user, host, how in rows.get("authentication", ()):
            ways = authentication(how)
            if user in accounts and host == "localhost" and ways not in BY_PASSWORD:
                accounts[user].unusual = ", ".join(ways)
        for user, said, *_ in rows.get("login", ()):
            if user in accounts:
                works = said == "works" or CONNECTIONS_EXHAUSTED.match(said)
                accounts[user].login_works = bool(works)
        return DatabaseState(
            reachable="schema" in rows,
            option_files={user for user, *_ in rows.get("option-file", ())},
            schemas={name: (charset, rule) for name, charset, rule in rows.get("schema", ())},
            accounts=accounts,
            by_tcp={f"{user}@{host}" for user, host in rows.get("by-tcp", ())},
            collations={(charset, rule) for charset, rule in rows.get("collation", ())},
        )
