"""The database: the server local only, and for each site a database with its two accounts."""

from collections.abc import Mapping
from posixpath import dirname

from pyinfra import logger
from pyinfra.api.deploy import deploy
from pyinfra.api.operation import OperationMeta
from pyinfra.context import host

from stagecraft.engines import Engine
from stagecraft.errors import ServerError
from stagecraft.facts.database import DatabaseFact, DatabaseState
from stagecraft.facts.neighbours import Listener
from stagecraft.operations import files
from stagecraft.operations.database import (
    APP_PRIVILEGES,
    MIGRATOR_PRIVILEGES,
    DatabaseLogin,
    dropped,
    schema,
)
from stagecraft.operations.files import Checker, Written
from stagecraft.operations.nodes import Directory, File
from stagecraft.operations.services import RESTART, running
from stagecraft.paths import DATABASE_LOGINS
from stagecraft.render import file
from stagecraft.run import Run, this_run
from stagecraft.secrets import Secret
from stagecraft.services import unit_file
from stagecraft.settings import Environment, Site

MIGRATOR_CONNECTIONS = 10
"""Simultaneous connections; migrations take one, and somebody may look at the tables meanwhile."""


@deploy("Database server")
def database_server() -> None:
    run, server = this_run(), this_run().environment.server
    engine = server.engine
    if not ours(run):
        for listener in exposed(run):
            logger.warning(
                f"{host.print_prefix}{engine} listens on {listener.address}, and others"
                " configured it, so that stays: unless they need it, set bind-address = 127.0.0.1"
            )
        return
    override = f"{unit_file(engine.unit)}.d"
    written = files.tree(
        name=f"Write {engine.settings}",
        tree="database",
        nodes=[
            file(
                engine.settings,
                "database/server.cnf.j2",
                engine=engine.name,
                buffer_pool_mb=run.machine.megabytes(server.database.memory_percent),
            ),
            Directory(override),
            file(f"{override}/stagecraft.conf", "database/override.conf.j2"),
        ],
        check=check(engine),
    )
    running(
        name=f"Run {engine}",
        unit=engine.unit,
        watched=[engine.settings],
        unit_files=[f"{override}/stagecraft.conf"],
        after=[written],
        refresh=RESTART,
        shared=True,
    )


def check(engine: Engine) -> Checker:
    directories = (dirname(engine.settings),)
    return Checker(engine.checker, f"{engine.checker} >/dev/null", directories, engine.unit)


def ours(run: Run) -> bool:
    """Whether Stagecraft configures and restarts the server. It does not if others installed it:
    they chose its settings, and a restart would interrupt their databases."""
    engine, neighbours = run.environment.server.engine, run.neighbours
    made = run.manifest.installed(engine.package) or engine.settings in neighbours.files
    return made or engine.package not in neighbours.packages


def exposed(run: Run) -> list[Listener]:
    """Addresses on which the server is reachable from outside."""
    return [
        listener
        for listener in run.neighbours.listeners
        if listener.unit == run.environment.server.engine.unit and not listener.local
    ]


@deploy("Database")
def database(site: Site) -> list[Written | OperationMeta]:
    run = this_run()
    run.manifest.databases.add(site.database.name)
    logins = logins_of(site, run.secrets[site.key])
    written = files.tree(
        name=f"Write the logins of {site.database.name}",
        tree="database",
        site=site.name,
        nodes=[
            Directory("/etc/stagecraft"),
            Directory(DATABASE_LOGINS, mode="700"),
            *(option_file(login) for login in logins),
        ],
    )
    made = schema(
        name=f"Create the database {site.database.name} and its accounts",
        engine=run.environment.server.engine,
        database=site.database.name,
        charset=site.database.charset,
        collation=site.database.collation,
        logins=logins,
        after=[written],
    )
    return [written, made]


def logins_of(site: Site, secrets: Mapping[str, Secret]) -> list[DatabaseLogin]:
    database = site.database
    password, migrators = secrets["DB_PASSWORD"], secrets["DB_MIGRATOR_PASSWORD"]
    return [
        DatabaseLogin(database.user, password.reveal(), APP_PRIVILEGES, database.connections),
        DatabaseLogin(
            database.migrator, migrators.reveal(), MIGRATOR_PRIVILEGES, MIGRATOR_CONNECTIONS
        ),
    ]


def refuse_unknown_collations(environment: Environment, present: DatabaseState) -> None:
    """Raises ServerError for a collation that the server does not have, if it can be asked."""
    for site in environment.sites if present.reachable else ():
        database = site.database
        if (database.charset, database.collation) not in present.collations:
            raise ServerError(
                f"{host.name}: group_data/{environment.name}.yml: sites: {site.key}: database:"
                f" collation: {environment.server.engine} there has no"
                f" {database.collation} for the charset {database.charset}; nothing was changed."
                " SHOW COLLATION lists what it has"
            )


def drop_databases() -> None:
    """The databases that were declared with `present: false`. Raises ServerError for one that the
    environment did not make."""
    run, environment = this_run(), this_run().environment
    engine = environment.server.engine
    databases = [site.database for site in environment.sites]
    for name in environment.dropped_databases:
        present: DatabaseState = host.get_fact(DatabaseFact, engine=engine.name, logins={})
        if name in present.schemas and not run.manifest.made(name):
            run.refuse(
                ServerError(
                    f"Stagecraft did not make the database {name} on {host.name} for"
                    f" {environment.name}, so it does not drop it; take it out of"
                    f" group_data/{environment.name}.yml: databases:"
                )
            )
            continue
        run.manifest.dropped.add(name)
        dropped(
            name=f"Drop the database {name}, and accounts that are for it alone",
            engine=engine,
            database=name,
            needed=[user for used in databases for user in used.users],
        )


def option_file(login: DatabaseLogin) -> File:
    return file(
        login.option_file,
        "database/login.cnf.j2",
        mode="600",
        secret=True,
        login=login,
    )
