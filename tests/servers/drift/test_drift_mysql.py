"""What the nightly check sees of MySQL, which tells less in other words than MariaDB."""

from __future__ import annotations

import pytest
from provisioned import Provisioned
from tampering import Guarded, Tamper, expect_alone

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


TAMPERS = [
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
]  # fmt: skip


def test_a_converged_server_is_clean(guarded_mysql: Guarded) -> None:
    report = guarded_mysql.check("staging")
    assert (report.findings, report.unchecked) == ([], [])


@pytest.mark.parametrize("tamper", TAMPERS, ids=lambda tamper: tamper.name)
def test_what_somebody_changes_is_found_alone(guarded_mysql: Guarded, tamper: Tamper) -> None:
    expect_alone(guarded_mysql, tamper)


def test_nothing_is_left_of_it(guarded_mysql: Guarded) -> None:
    assert guarded_mysql.check("staging").findings == []
