"""MariaDB or MySQL: the server local only, and for each site a database with its two accounts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pyinfra.api.deploy import deploy
from pyinfra.context import host

from stagecraft.errors import ServerError
from stagecraft.facts.database import Database, DatabaseFact
from stagecraft.facts.machine import Machine
from stagecraft.operations import files
from stagecraft.operations.database import (
    APP_PRIVILEGES,
    MIGRATOR_PRIVILEGES,
    Login,
    schema,
)
from stagecraft.operations.files import Check
from stagecraft.operations.nodes import Directory, File
from stagecraft.operations.services import running
from stagecraft.paths import DATABASE_LOGINS, database_login
from stagecraft.render import file
from stagecraft.secrets import Secret
from stagecraft.settings import Environment, ServerDatabase, Site

CONFIGURATION = {
    "mariadb": ("/etc/mysql/mariadb.conf.d/90-stagecraft.cnf", "mariadbd --verbose --help"),
    "mysql": ("/etc/mysql/mysql.conf.d/zz-stagecraft.cnf", "mysqld --validate-config"),
}
"""For each engine the file of our settings, whose name comes after those of Debian's
(`50-server.cnf`, `mysqld.cnf`), and what checks it: MySQL's `--verbose --help` lets unknown
settings pass, MariaDB has no `--validate-config`."""


@deploy("Database server")
def database_server(settings: ServerDatabase, machine: Machine) -> None:
    path, checker = CONFIGURATION[settings.engine]
    written = files.tree(
        name=f"Write {path}",
        tree="database",
        nodes=[
            file(
                path,
                "database/server.cnf.j2",
                engine=settings.engine,
                buffer_pool_mb=machine.megabytes(settings.memory_percent),
            )
        ],
        check=Check(checker, f"{checker} >/dev/null", (str(Path(path).parent),)),
    )
    running(
        name=f"Run {settings.engine}",
        unit=f"{settings.engine}.service",
        watched=[path],
        after=[written],
        refresh="systemctl restart",
    )


@deploy("Database")
def database(environment: Environment, site: Site, secrets: Mapping[str, Secret]) -> None:
    logins = [
        Login(
            user=site.database.user,
            password=secrets["DB_PASSWORD"].reveal(),
            option_file=database_login(site.database.user),
            privileges=APP_PRIVILEGES,
            connections=site.database.connections,
        ),
        Login(
            user=site.database.migrator,
            password=secrets["DB_MIGRATOR_PASSWORD"].reveal(),
            option_file=database_login(site.database.migrator),
            privileges=MIGRATOR_PRIVILEGES,
        ),
    ]
    written = files.tree(
        name=f"Write the logins of {site.database.name}",
        tree=f"database-{site.name}",
        nodes=[
            Directory("/etc/stagecraft"),
            Directory(DATABASE_LOGINS, mode="700"),
            *(option_file(login) for login in logins),
        ],
    )
    schema(
        name=f"Create the database {site.database.name} and its accounts",
        engine=environment.server.database.engine,
        database=site.database.name,
        charset=site.database.charset,
        collation=site.database.collation,
        logins=logins,
        after=[written],
    )


def refuse_foreign_database(environment: Environment, site: Site) -> None:
    """Raises ServerError for a database or an account that others made: taken over, its password
    and rights would change under whoever uses it."""
    users = (site.database.user, site.database.migrator)
    option_files = {user: database_login(user) for user in users}
    engine = environment.server.database.engine
    present: Database = host.get_fact(DatabaseFact, engine=engine, logins=option_files)
    foreign = [
        f"account {user}"
        for user in users
        if user in present.accounts and user not in present.option_files
    ]
    if site.database.name in present.schemas and site.database.user not in present.option_files:
        foreign.insert(0, f"database {site.database.name}")
    if foreign:
        raise ServerError(
            f"{host.name} has the {' and the '.join(foreign)} already, and Stagecraft did not make"
            f" it; choose another name for {site.name} in group_data/{site.environment}.yml, or,"
            f" to hand it over, create {' and '.join(option_files.values())} there, empty:"
            " passwords and rights become the declared ones"
        )


def option_file(login: Login) -> File:
    return file(
        login.option_file,
        "database/login.cnf.j2",
        mode="600",
        secret=True,
        login=login,
    )
