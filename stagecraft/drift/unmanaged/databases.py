"""Databases, accounts, roles and grants that nobody declared."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence

from pyinfra.api.exceptions import PyinfraError
from pyinfra.context import host

from stagecraft.drift.areas import Looked
from stagecraft.drift.declared import Declared
from stagecraft.drift.findings import Finding, Severity
from stagecraft.drift.unmanaged.findings import unmanaged
from stagecraft.engines import Engine
from stagecraft.facts.database import identifier
from stagecraft.facts.grants import Grants, GrantsFact, Holder
from stagecraft.operations.database import literal
from stagecraft.paths import DATABASE_LOGINS

PUBLIC = "PUBLIC"


def databases(declared: Declared) -> Looked:
    engine = declared.settings.engine
    grants: Grants = host.get_fact(GrantsFact, engine=engine.name)
    if not grants.installed:
        return Looked()
    if not grants.reachable:
        raise PyinfraError(
            f"{engine} does not answer root through its socket: systemctl status {engine}"
        )
    schemas, accounts = declared_schemas(declared), declared_accounts(declared)
    findings = [
        *foreign_schemas(grants, schemas, engine),
        *foreign_holders(grants, accounts | engine.accounts, engine),
        *routines(grants, accounts, engine),
        *public(grants, engine),
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
    users = {user for s in declared.sites for user in s.database.users}
    return users | {
        path.removeprefix(f"{DATABASE_LOGINS}/").removesuffix(".cnf")
        for path in declared.paths
        if path.startswith(f"{DATABASE_LOGINS}/")
    }


def foreign_schemas(grants: Grants, known: set[str], engine: Engine) -> Iterator[Finding]:
    for name in grants.schemas:
        if name not in known | engine.schemas:
            dump = f"{engine.dump} {shlex.quote(name)} >/root/{shlex.quote(name)}.sql"
            yield unmanaged(
                Severity.LOW,
                "database",
                name,
                found="there, with what is in it",
                remedy=f"{dump} && {engine.sql(f'DROP DATABASE {identifier(name)}')}",
            )


def foreign_holders(
    grants: Grants, known: set[str] | frozenset[str], engine: Engine
) -> Iterator[Finding]:
    given = {
        role for holder in grants.holders.values() for role in holder.roles if holder.user != "root"
    }
    for holder in grants.holders.values():
        if holder.user == PUBLIC or (holder.user in known and holder.host == "localhost"):
            continue
        yield role(holder, holder.user in given, engine) if holder.role else account(holder, engine)


def account(holder: Holder, engine: Engine) -> Finding:
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
        remedy=engine.sql("FLUSH PRIVILEGES" if holder.loaded else f"DROP USER {who}"),
    )


def role(holder: Holder, given: bool, engine: Engine) -> Finding:
    return unmanaged(
        Severity.HIGH if given else Severity.LOW,
        "database role",
        holder.user,
        found=summary(holder.grants) + ("" if given else ", given to nobody"),
        remedy=engine.sql(f"DROP ROLE {literal(holder.user)}"),
    )


def routines(grants: Grants, known: set[str], engine: Engine) -> Iterator[Finding]:
    """What the plan of a run does not look at of the declared accounts: single routines."""
    for holder in grants.holders.values():
        if holder.user in known and holder.host == "localhost":
            for privilege in sorted(holder.privileges):
                if privilege.startswith("Execute on "):
                    yield routine(holder, privilege, engine)


def routine(holder: Holder, privilege: str, engine: Engine) -> Finding:
    where = privilege.removeprefix("Execute on ")
    who = literal(holder.user) + "@" + literal(holder.host)
    return unmanaged(
        Severity.HIGH,
        "database grant",
        f"{holder.name} {where}",
        found="it may run that routine, with the rights of who wrote it",
        remedy=engine.sql(f"REVOKE EXECUTE ON PROCEDURE {where} FROM {who}"),
    )


def public(grants: Grants, engine: Engine) -> Iterator[Finding]:
    if grants.public:
        yield unmanaged(
            Severity.HIGH,
            "database grant",
            PUBLIC,
            found=f"every account {summary(sorted(grants.public))}",
            remedy=engine.sql("REVOKE ALL PRIVILEGES, GRANT OPTION FROM PUBLIC"),
        )


def summary(grants: Sequence[str]) -> str:
    if not grants:
        return "it may nothing but log in"
    more = f" and {len(grants) - 4} more" if len(grants) > 4 else ""
    return f"may {', '.join(grants[:4])}{more}"
