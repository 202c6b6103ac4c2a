"""The database server's schemas, accounts and privileges, and whether our logins work."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, field

from stagecraft.engines import ENGINES
from stagecraft.facts.reading import Fact
from stagecraft.paths import DATABASE_LOGINS
from stagecraft.seen import CompositeValue

CONNECTIONS_EXHAUSTED = re.compile(r"^ERROR (1203|1226) ")
"""The account is at its connection limit, which the server checks after the password."""


@dataclass
class DatabaseAccount(CompositeValue):
    """A database account on localhost. `privileges` maps the level (what follows ON in a GRANT) to
    the privileges there, including GRANT OPTION."""

    connections: int = 0
    privileges: dict[str, set[str]] = field(default_factory=dict)
    login_works: bool = False

    def __str__(self) -> str:
        rights = [
            f"{', '.join(sorted(privileges))} on {level}"
            for level, privileges in sorted(self.privileges.items())
        ]
        password = "the declared password" if self.login_works else "another password"
        limit = self.connections or "any number of"
        return f"{'; '.join(rights) or 'no rights'}; {limit} connections; {password}"


@dataclass
class DatabaseState:
    """`reachable` is False if the server is not installed or not running. `by_tcp` are the accounts
    (`user@host`) that cannot use the socket. `collations` are the requested (charset, collation)
    pairs that the server has."""

    reachable: bool = False
    option_files: set[str] = field(default_factory=set)
    schemas: dict[str, tuple[str, str]] = field(default_factory=dict)
    accounts: dict[str, DatabaseAccount] = field(default_factory=dict)
    by_tcp: set[str] = field(default_factory=set)
    collations: set[tuple[str, str]] = field(default_factory=set)


def columns(row: str) -> list[str]:
    """The values of a row from the client's batch mode, which escapes tabs and line ends in
    names."""
    spelt = {"n": "\n", "t": "\t", "0": "\0"}
    return [
        re.sub(r"\\(.)", lambda match: spelt.get(match[1], match[1]), value)
        for value in row.split("\t")
    ]


def identifier(name: str) -> str:
    escaped = name.replace("`", "``")
    return f"`{escaped}`"


def grant_level(schema: str, table: str = "*") -> str:
    """What follows ON in a GRANT, where a schema's name is a pattern; `*` means all tables."""
    return ".".join(name if name == "*" else identifier(name) for name in (schema, table))


def parse_database(lines: list[str]) -> DatabaseState:
    """Reads the tab-separated rows of `Engine.content`, then `login` lines."""
    database = DatabaseState()
    for line in lines:
        kind, *row = columns(line)
        if kind == "schema":
            database.reachable = True
            database.schemas[row[0]] = (row[1], row[2])
        elif kind == "account" and row[1] == "localhost":
            database.accounts[row[0]] = DatabaseAccount(connections=int(row[2]))
        elif kind == "by-tcp":
            database.by_tcp.add(f"{row[0]}@{row[1]}")
        elif kind == "privilege":
            user, _, host = row[0].rpartition("@")
            account = database.accounts.get(user.strip("'"))
            if account and host == "'localhost'":
                add_privilege(account, row[1:])
        elif kind == "collation":
            database.collations.add((row[0], row[1]))
        elif kind == "option-file":
            database.option_files.add(row[0])
        elif kind == "login" and row[0] in database.accounts:
            works = row[1] == "works" or CONNECTIONS_EXHAUSTED.match(row[1])
            database.accounts[row[0]].login_works = bool(works)
    return database


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

    parse = staticmethod(parse_database)

    def command(
        self, engine: str, logins: dict[str, str], collations: list[str] | None = None
    ) -> str:
        server = ENGINES[engine]
        query = server.content + server.by_tcp
        query += server.collations(collations) if collations else ""
        listed = (
            f"; for path in {DATABASE_LOGINS}/*.cnf; do user=${{path##*/}};"
            ' [ ! -e "$path" ] || printf \'option-file\\t%s\\n\' "${user%.cnf}"; done'
        )
        tries = "".join(
            f"; printf 'login\\t%s\\t%s\\n' {shlex.quote(user)} \"$("
            f" {{ {server.client} --defaults-file={shlex.quote(path)} --execute='DO 0' 2>&1"
            ' && echo works; } | tail -n 1)"'
            for user, path in sorted(logins.items())
        )
        asked = f"{server.ask(query)}{listed}{tries}"
        return f"if command -v {server.client} >/dev/null; then {asked}; fi; true"
