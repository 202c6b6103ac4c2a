"""Databases, accounts, roles and grants that nobody declared."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence

from pyinfra.api.exceptions import PyinfraError
from pyinfra.context import host

from stagecraft.drift.findings import Finding, Severity
from stagecraft.drift.judging.unmanaged.findings import unmanaged
from stagecraft.drift.looking.areas import Looked
from stagecraft.drift.looking.declared import Declared
from stagecraft.facts.database import CLIENTS, identifier
from stagecraft.facts.grants import Grants, GrantsFact, Holder
from stagecraft.operations.database import literal
from stagecraft.paths import DATABASE_LOGINS

SYSTEM_SCHEMAS = frozenset({"information_schema", "mysql", "performance_schema", "sys"})

SYSTEM_ACCOUNTS = {
    "mariadb": frozenset({"root", "mysql", "mariadb.sys"}),
    "mysql": frozenset(
        {"root", "debian-sys-maint", "mysql.infoschema", "mysql.session", "mysql.sys"}
    ),
}
"""Those that the engine and Debian's packages make, at localhost only."""

DUMPS = {"mariadb": "mariadb-dump", "mysql": "mysqldump"}
"""By client."""

PUBLIC = "PUBLIC"


def databases(declared: Declared) -> Looked:
    engine = declared.settings.database.engine
    grants: Grants = host.get_fact(GrantsFact, engine=engine)
    if not grants.installed:
        return Looked()
    if not grants.reachable:
        raise PyinfraError(
            f"{engine} does not answer root through its socket: systemctl status {engine}"
        )
    schemas, accounts = declared_schemas(declared), declared_accounts(declared)
    client = CLIENTS[engine]
    findings = [
        *foreign_schemas(grants, schemas, client),
        *foreign_holders(grants, accounts | SYSTEM_ACCOUNTS[engine], client),
        *routines(grants, accounts, client),
        *public(grants, client),
    ]
    known = len(schemas) + len(accounts)
    return Looked(findings, declared=known, total=known + len(findings))


def declared_schemas(declared: Declared) -> set[str]:
    """Those to be dropped among them: a run does that."""
    names = {site.database.name for site in declared.sites}
    names.update(name for env in declared.environments for name in env.dropped_databases)
    return names.union(*(records.databases for records in declared.vouched))


def declared_accounts(declared: Declared) -> set[str]:
    """Those at localhost whose login some environment keeps."""
    users = {user for s in declared.sites for user in (s.database.user, s.database.migrator)}
    return users | {
        path.removeprefix(f"{DATABASE_LOGINS}/").removesuffix(".cnf")
        for path in declared.paths
        if path.startswith(f"{DATABASE_LOGINS}/")
    }


def foreign_schemas(grants: Grants, known: set[str], client: str) -> Iterator[Finding]:
    for name in grants.schemas:
        if name not in known | SYSTEM_SCHEMAS:
            dump = f"{DUMPS[client]} {shlex.quote(name)} >/root/{shlex.quote(name)}.sql"
            yield unmanaged(
                Severity.LOW,
                "database",
                name,
                found="there, with what is in it",
                remedy=f"{dump} && {sql(client, f'DROP DATABASE {identifier(name)}')}",
            )


def foreign_holders(
    grants: Grants, known: set[str] | frozenset[str], client: str
) -> Iterator[Finding]:
    given = {
        role for holder in grants.holders.values() for role in holder.roles if holder.user != "root"
    }
    for holder in grants.holders.values():
        if holder.user == PUBLIC or (holder.user in known and holder.host == "localhost"):
            continue
        yield role(holder, holder.user in given, client) if holder.role else account(holder, client)


def account(holder: Holder, client: str) -> Finding:
    if not holder.local:
        severity = Severity.CRITICAL if holder.grants else Severity.HIGH
    else:
        severity = Severity.HIGH if holder.grants or not holder.user else Severity.LOW
    who = literal(holder.user) + "@" + literal(holder.host)
    return unmanaged(
        severity,
        "database account",
        holder.name,
        found=("loaded, and no more in its table, " if holder.loaded else "")
        + ("" if holder.user else "anybody without a name, ")
        + summary(holder.grants),
        remedy=sql(client, "FLUSH PRIVILEGES" if holder.loaded else f"DROP USER {who}"),
    )


def role(holder: Holder, given: bool, client: str) -> Finding:
    return unmanaged(
        Severity.HIGH if given else Severity.LOW,
        "database role",
        holder.user,
        found=summary(holder.grants) + ("" if given else ", given to nobody"),
        remedy=sql(client, f"DROP ROLE {literal(holder.user)}"),
    )


def routines(grants: Grants, known: set[str], client: str) -> Iterator[Finding]:
    """What the plan of a run does not look at of the declared accounts: single routines."""
    for holder in grants.holders.values():
        if holder.user in known and holder.host == "localhost":
            for privilege in sorted(holder.privileges):
                if privilege.startswith("Execute on "):
                    yield routine(holder, privilege, client)


def routine(holder: Holder, privilege: str, client: str) -> Finding:
    where = privilege.removeprefix("Execute on ")
    who = literal(holder.user) + "@" + literal(holder.host)
    return unmanaged(
        Severity.HIGH,
        "database grant",
        f"{holder.name} {where}",
        found="it may run that routine, with the rights of who wrote it",
        remedy=sql(client, f"REVOKE EXECUTE ON PROCEDURE {where} FROM {who}"),
    )


def public(grants: Grants, client: str) -> Iterator[Finding]:
    if grants.public:
        yield unmanaged(
            Severity.HIGH,
            "database grant",
            PUBLIC,
            found=f"every account {summary(sorted(grants.public))}",
            remedy=sql(client, "REVOKE ALL PRIVILEGES, GRANT OPTION FROM PUBLIC"),
        )


def summary(grants: Sequence[str]) -> str:
    if not grants:
        return "it may nothing but log in"
    more = f" and {len(grants) - 4} more" if len(grants) > 4 else ""
    return f"may {', '.join(grants[:4])}{more}"


def sql(client: str, statement: str) -> str:
    return f"{client} --execute={shlex.quote(statement)}"
