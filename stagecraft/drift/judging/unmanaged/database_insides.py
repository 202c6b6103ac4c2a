"""What acts inside the database server although nobody declared it."""

from collections.abc import Iterator

from stagecraft.drift.findings import Class, Finding, Kind, Severity
from stagecraft.drift.judging.remedies import shortened
from stagecraft.drift.judging.unmanaged.databases import ACCOUNT, GRANT, declared_logins
from stagecraft.drift.looking.server import Declared, ask
from stagecraft.engines import Engine
from stagecraft.facts.database import identifier, literal
from stagecraft.facts.database_insides import Code, DatabaseInsidesFact, Insides

CODE = Kind(
    Class.UNMANAGED, "database code", "of the site's own accounts, or of the engine's package"
)
PLUGIN = Kind(Class.UNMANAGED, "database plugin")
FUNCTION = Kind(Class.UNMANAGED, "database function")
SERVER = Kind(Class.UNMANAGED, "database link", severity=Severity.LOW)
REPLICATION = Kind(Class.UNMANAGED, "database replication")


def database_insides(declared: Declared) -> Iterator[Finding]:
    """Code in undeclared databases is left to the findings about those, whose remedy removes it."""
    engine, own = declared.settings.engine, authors(declared)
    insides = ask(DatabaseInsidesFact, engine=engine.name, own=own)
    yield from changed_accounts(insides, engine)
    for code in insides.code:
        if code.schema in own or code.schema in engine.schemas:
            yield stored(code, engine)
    for library, plugins in insides.plugins.items():
        if library not in engine.plugins:
            yield loaded(library, plugins, engine)
    for name, library in insides.functions.items():
        yield FUNCTION.finding(
            name,
            found=f"runs code of {library} in the server, for every account",
            remedy=engine.sql(f"DROP FUNCTION {identifier(name)}"),
        )
    for name, address in insides.servers.items():
        yield SERVER.finding(
            name,
            found=f"leads to tables of {address or 'a socket'}",
            remedy=engine.sql(f"DROP SERVER {literal(name)}"),
        )
    for name, address in insides.replicated.items():
        yield REPLICATION.finding(
            address or name,
            found="this server executes what that one sends",
            remedy=engine.sql(engine.stop_replication.format(name=literal(name))),
        )


def authors(declared: Declared) -> dict[str, list[str]]:
    """The accounts that may define code, by schema. Those of another repository are not known by
    schema."""
    logins = [f"{user}@localhost" for user in sorted(declared_logins(declared))]
    foreign = {name: logins for records in declared.trusted for name in sorted(records.databases)}
    sites = (site.database for site in declared.sites)
    return foreign | {site.name: [f"{user}@localhost" for user in site.users] for site in sites}


def changed_accounts(insides: Insides, engine: Engine) -> Iterator[Finding]:
    """The engine's own accounts; the plan has those of sites, and any other is undeclared."""
    for name, account in engine.accounts.items():
        how = insides.authentication.get(f"{name}@localhost", account.authentication)
        if how != account.authentication:
            restored = f"ALTER USER {literal(name)}@'localhost' {account.restored}"
            yield ACCOUNT.finding(
                f"{name}@localhost",
                expected=f"logs in by {', '.join(account.authentication)}",
                found=f"logs in by {', '.join(how)}",
                remedy=engine.sql(restored),
            )
    for who, other in insides.proxies:
        user, _, host = who.rpartition("@")
        if other != "@" or host != "localhost" or user not in engine.proxies:
            named = "@".join(map(literal, other.rsplit("@", 1)))
            proxy = "@".join(map(literal, (user, host)))
            yield GRANT.finding(
                f"{who} PROXY",
                found=f"may act as {'any account' if other == '@' else other}",
                remedy=engine.sql(f"REVOKE PROXY ON {named} FROM {proxy}"),
            )


def stored(code: Code, engine: Engine) -> Finding:
    name = f"{identifier(code.schema)}.{identifier(code.name)}"
    return CODE.finding(
        f"{code.kind.lower()} {code.schema}.{code.name}",
        found=f"{code.definer} defined it, and it may run with the rights of that account",
        remedy=engine.sql(f"DROP {code.kind} {name}"),
    )


def loaded(library: str, plugins: list[str], engine: Engine) -> Finding:
    component = library.startswith("file://")
    uninstalled = (
        f"UNINSTALL COMPONENT {literal(name)}" if component else f"UNINSTALL PLUGIN {name}"
        for name in map(str, plugins)
    )
    return PLUGIN.finding(
        library,
        found=f"runs in the server: {shortened(plugins, 3)}",
        remedy=engine.sql("; ".join(uninstalled)),
    )
