"""Undeclared databases, accounts, roles and grants."""

import shlex
from collections.abc import Collection, Iterator, Sequence

from pyinfra.api.exceptions import PyinfraError

from stagecraft.drift.findings import Class, Coverage, Finding, Kind, Severity
from stagecraft.drift.judging.remedies import shortened
from stagecraft.drift.looking.server import Declared, ask
from stagecraft.engines import Engine
from stagecraft.facts.database import identifier
from stagecraft.facts.grants import Grants, GrantsFact, Holder
from stagecraft.operations.database import literal
from stagecraft.paths import DATABASE_LOGINS

DATABASE = Kind(Class.UNMANAGED, "database", severity=Severity.LOW)
ACCOUNT = Kind(Class.UNMANAGED, "database account")
ROLE = Kind(Class.UNMANAGED, "database role")
GRANT = Kind(Class.UNMANAGED, "database grant")

PUBLIC = "PUBLIC"


def databases(declared: Declared) -> Iterator[Finding | Coverage]:
    engine = declared.settings.engine
    grants = ask(GrantsFact, engine=engine.name)
    if not grants.installed:
        return
    if not grants.reachable:
        raise PyinfraError(
            f"{engine} does not answer root through its socket: systemctl status {engine}"
        )
    schemas = {site.database.name for site in declared.sites}.union(
        *(environment.dropped_databases for environment in declared.environments),  # by a run
        *(records.databases for records in declared.trusted),
    )
    logins = (path for path in declared.paths if path.startswith(f"{DATABASE_LOGINS}/"))
    accounts = {path.rpartition("/")[2].removesuffix(".cnf") for path in logins}.union(
        *(site.database.users for site in declared.sites)
    )
    yield Coverage(declared=len(schemas) + len(accounts))
    for name in grants.schemas:
        if name not in schemas | engine.schemas:
            dump = f"{engine.dump} {shlex.quote(name)} >/root/{shlex.quote(name)}.sql"
            yield DATABASE.finding(
                name,
                found="it exists, with its data",
                remedy=f"{dump} && {engine.sql(f'DROP DATABASE {identifier(name)}')}",
            )
    yield from foreign_holders(grants, accounts | engine.accounts, engine)
    yield from routines(grants, accounts, engine)
    if grants.public:
        yield GRANT.finding(
            PUBLIC,
            found=f"every account {summary(sorted(grants.public))}",
            remedy=engine.sql("REVOKE ALL PRIVILEGES, GRANT OPTION FROM PUBLIC"),
        )


def foreign_holders(grants: Grants, known: Collection[str], engine: Engine) -> Iterator[Finding]:
    holders = grants.holders.values()
    given = {role for holder in holders for role in holder.roles if holder.user != "root"}
    for holder in holders:
        if holder.user == PUBLIC or (holder.user in known and holder.host == "localhost"):
            continue
        if not holder.role:
            yield account(holder, engine)
            continue
        in_use = holder.user in given
        yield ROLE.finding(
            holder.user,
            severity=Severity.HIGH if in_use else Severity.LOW,
            found=summary(holder.grants) + ("" if in_use else ", given to nobody"),
            remedy=engine.sql(f"DROP ROLE {literal(holder.user)}"),
        )


def account(holder: Holder, engine: Engine) -> Finding:
    if not holder.local:
        severity = Severity.CRITICAL if holder.grants else Severity.HIGH
    else:
        severity = Severity.HIGH if holder.grants or not holder.user else Severity.LOW
    loaded = "in memory alone, no longer in its table: " if holder.loaded else ""
    nameless = "" if holder.user else "anybody without a name "
    return ACCOUNT.finding(
        holder.name,
        severity=severity,
        found=f"{loaded}{nameless}{summary(holder.grants)}",
        remedy=engine.sql("FLUSH PRIVILEGES" if holder.loaded else f"DROP USER {quoted(holder)}"),
    )


def routines(grants: Grants, known: set[str], engine: Engine) -> Iterator[Finding]:
    """Privileges of declared accounts on single routines, which the plan does not check."""
    ours = [h for h in grants.holders.values() if h.user in known and h.host == "localhost"]
    for holder in ours:
        for privilege in sorted(holder.privileges):
            what, _, where = privilege.partition(" on ")
            if what == "Execute":
                revoke = f"REVOKE EXECUTE ON PROCEDURE {where} FROM {quoted(holder)}"
                yield GRANT.finding(
                    f"{holder.name} {where}",
                    found="may run that routine, with the rights of its author",
                    remedy=engine.sql(revoke),
                )


def summary(grants: Sequence[str]) -> str:
    return f"may {shortened(list(grants), 4)}" if grants else "may log in, and nothing else"


def quoted(holder: Holder) -> str:
    return f"{literal(holder.user)}@{literal(holder.host)}"
