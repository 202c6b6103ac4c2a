"""Undeclared databases, accounts, roles and grants."""

import shlex
from collections.abc import Collection, Iterator, Sequence

from pyinfra.api.exceptions import PyinfraError

from stagecraft.drift.findings import Class, Coverage, Finding, Kind, Severity
from stagecraft.drift.judging.remedies import shortened
from stagecraft.drift.looking.server import Declared, ask
from stagecraft.engines import Engine
from stagecraft.facts.database import identifier, literal
from stagecraft.facts.grants import Grants, GrantsFact, Holder
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
    accounts = declared_logins(declared)
    yield Coverage(declared=len(schemas) + len(accounts))
    for name in grants.schemas:
        if name not in schemas | engine.schemas:
            dump = f"{engine.dump} {shlex.quote(name)} >/root/{shlex.quote(name)}.sql"
            yield DATABASE.finding(
                name,
                found="it exists, with its data",
                remedy=f"{dump} && {engine.sql(f'DROP DATABASE {identifier(name)}')}",
            )
    yield from foreign_holders(grants, accounts | engine.accounts.keys(), engine)
    yield from routines(grants, accounts, engine)
    yield from taken(grants, accounts | engine.accounts.keys(), engine)
    yield from of_the_engine(grants, engine)
    if grants.public:
        yield GRANT.finding(
            PUBLIC,
            found=f"every account {summary(sorted(grants.public))}",
            remedy=engine.sql("REVOKE ALL PRIVILEGES, GRANT OPTION FROM PUBLIC"),
        )


def declared_logins(declared: Declared) -> set[str]:
    logins = (path for path in declared.paths if path.startswith(f"{DATABASE_LOGINS}/"))
    users = {path.rpartition("/")[2].removesuffix(".cnf") for path in logins}
    return users.union(*(site.database.users for site in declared.sites))


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
            if what != what.upper():  # of a routine: Execute,Alter Routine
                routine, _, kind = where.rstrip(")").rpartition(" (")
                privileges = what.upper().replace("GRANT", "GRANT OPTION")
                name = ".".join(map(identifier, routine.split(".", 1)))
                revoke = f"REVOKE {privileges} ON {kind} {name} FROM {quoted(holder)}"
                yield GRANT.finding(
                    f"{holder.name} {routine}",
                    found=f"may {what.lower()} that routine, which has its author's rights",
                    remedy=engine.sql(revoke),
                )


def taken(grants: Grants, known: Collection[str], engine: Engine) -> Iterator[Finding]:
    """Declared accounts, or the engine's, that have the rights of another one of these: in MySQL
    every account is a role."""
    for holder in grants.holders.values():
        for role in sorted(holder.roles & set(known)) if holder.user in known else ():
            yield GRANT.finding(
                f"{holder.name} {role}",
                severity=Severity.HIGH,
                found=f"has all rights of {role}",
                remedy=engine.sql(f"REVOKE {literal(role)}@'localhost' FROM {quoted(holder)}"),
            )


def of_the_engine(grants: Grants, engine: Engine) -> Iterator[Finding]:
    """More rights for accounts that the engine made for its own use."""
    for name, account in engine.accounts.items():
        holder = grants.holders.get(f"'{name}'@'localhost'")
        if holder is None or account.privileges is None:
            continue
        more = sorted(holder.privileges - account.privileges)
        statements = (f"REVOKE {p.replace(' on ', ' ON ')} FROM {quoted(holder)}" for p in more)
        if more:
            yield GRANT.finding(
                holder.name,
                expected=f"may {shortened(sorted(account.privileges), 4)}",
                found=summary(more),
                remedy=engine.sql("; ".join(statements)),
            )


def summary(grants: Sequence[str]) -> str:
    return f"may {shortened(list(grants), 4)}" if grants else "may log in, and nothing else"


def quoted(holder: Holder) -> str:
    return f"{literal(holder.user)}@{literal(holder.host)}"
