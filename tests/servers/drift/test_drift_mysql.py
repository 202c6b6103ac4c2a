"""What the nightly check sees of MySQL, which tells less in other words than MariaDB."""

from __future__ import annotations

from functools import cache, partial

import pytest
from provisioned import Provisioned
from tampering import Finder, Guarded, Tamper, find, in_rounds

from lab.lab import Lab

LOGIN = "askproai_staging@localhost"


@pytest.fixture(scope="module")
def guarded_mysql(mysql: Provisioned, lab: Lab) -> Guarded:
    guarded = Guarded(mysql.server, mysql.project, lab)
    guarded.as_if_bootstrapped()
    return guarded


def sql(statements: str, *finding: str) -> Tamper:
    class_, severity, kind, thing = finding
    found = (class_, severity, kind, thing)
    return Tamper(f'mysql --execute "{statements}"', found, environment="staging")


RENEWAL = "/etc/letsencrypt/renewal/askpro-staging.conf"

CERTBOT = [
    Tamper(
        f"sed -i -e '/^authenticator/a pre_hook = true' -e 's|^\\(www.*=\\).*|\\1 /tmp|' {RENEWAL}",
        ("unmanaged", "critical", "certificate renewal", "askpro-staging"),
        environment="staging",
    ),
    Tamper(
        "printf '#!/bin/sh\\n' >/etc/letsencrypt/renewal-hooks/post/sync",
        ("unmanaged", "critical", "certbot hook", "/etc/letsencrypt/renewal-hooks/post/sync"),
        environment="staging",
    ),
]

TAMPERS = [
    *CERTBOT,
    sql("SET GLOBAL max_connections = 10", "running", "high", "database variable",
        "max_connections"),
    sql("CREATE USER evil@'%' IDENTIFIED BY 'guess'; GRANT ALL ON *.* TO evil@'%'",
        "unmanaged", "critical", "database account", "evil@%"),
    sql("CREATE DATABASE reports", "unmanaged", "low", "database", "reports"),
    sql(f"CREATE ROLE analysts; GRANT SELECT ON *.* TO analysts; GRANT analysts TO {LOGIN}",
        "unmanaged", "high", "database role", "analysts"),
    sql(f"GRANT SELECT ON *.* TO {LOGIN}", "managed", "high", "database user", LOGIN),
    sql(f"ALTER USER {LOGIN} IDENTIFIED BY 'another-one-2'",
        "managed", "high", "database user", LOGIN),
    sql(f"ALTER USER {LOGIN} WITH MAX_QUERIES_PER_HOUR 100000",
        "managed", "high", "database user", LOGIN),
    sql("SET PERSIST wait_timeout = 10", "running", "high", "database variable", "wait_timeout"),
    sql("SET PERSIST_ONLY net_read_timeout = 10",
        "running", "high", "database variable", "net_read_timeout"),
    sql(f"GRANT root@localhost TO {LOGIN}",
        "unmanaged", "high", "database grant", f"{LOGIN} root"),
    sql("GRANT SELECT ON *.* TO 'mysql.sys'@localhost",
        "unmanaged", "high", "database grant", "mysql.sys@localhost"),
    sql("ALTER USER 'mysql.session'@localhost ACCOUNT UNLOCK",
        "unmanaged", "high", "database account", "mysql.session@localhost"),
    sql("ALTER USER root@localhost IDENTIFIED WITH auth_socket AS 'askpro-staging'",
        "unmanaged", "high", "database account", "root@localhost"),
    sql("CREATE EVENT askproai_staging.nightly ON SCHEDULE EVERY 1 DAY DO DO 0",
        "unmanaged", "high", "database code", "event askproai_staging.nightly"),
    sql("CREATE PROCEDURE sys.helper() SELECT 1",
        "unmanaged", "high", "database code", "procedure sys.helper"),
    sql("INSTALL COMPONENT 'file://component_validate_password'",
        "unmanaged", "high", "database plugin", "file://component_validate_password"),
    sql("CHANGE REPLICATION SOURCE TO SOURCE_HOST = '198.51.100.9', SOURCE_USER = 'x'",
        "unmanaged", "high", "database replication", "198.51.100.9"),
]  # fmt: skip


def test_a_converged_server_is_clean(guarded_mysql: Guarded) -> None:
    report = guarded_mysql.check("staging")
    assert (report.findings, report.unchecked) == ([], [])


@pytest.fixture(scope="module")
def find_mysql(guarded_mysql: Guarded) -> Finder:
    return cache(partial(find, guarded_mysql))


@pytest.mark.parametrize(("together", "tamper"), in_rounds(TAMPERS))
def test_what_somebody_changes_is_found_alone(
    find_mysql: Finder, together: tuple[Tamper, ...], tamper: Tamper
) -> None:
    find_mysql(together).alone(tamper)


def test_nothing_is_left_of_it(guarded_mysql: Guarded) -> None:
    assert guarded_mysql.check("staging").findings == []
