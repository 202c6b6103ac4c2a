"""What somebody changes inside the services and in the logs, each change found and nothing else."""

from __future__ import annotations

import pytest
from tampering import Finder, Guarded, Tamper, expect_alone, in_rounds

APP, MIGRATOR = "askpro_production@localhost", "askpro_production_migrator@localhost"


def sql(statements: str, severity: str, kind: str, thing: str, class_: str = "unmanaged") -> Tamper:
    quoted = statements.replace('"', r"\"").replace("$", r"\$")
    return Tamper(f'mariadb -e "{quoted}"', (class_, severity, kind, thing))


DATABASE = [
    sql(
        "ALTER USER root@localhost IDENTIFIED VIA unix_socket"
        " OR mysql_native_password USING PASSWORD('guess')",
        "high", "database account", "root@localhost",
    ),
    sql(
        "ALTER USER mysql@localhost IDENTIFIED VIA unix_socket AS 'askpro-staging'",
        "high", "database account", "mysql@localhost",
    ),
    sql(
        "ALTER USER 'mariadb.sys'@localhost ACCOUNT UNLOCK",
        "high", "database account", "mariadb.sys@localhost",
    ),
    sql(
        "GRANT SUPER ON *.* TO 'mariadb.sys'@localhost;"
        " GRANT INSERT ON mysql.global_priv TO 'mariadb.sys'@localhost",
        "high", "database grant", "mariadb.sys@localhost",
    ),
    sql(
        f"GRANT PROXY ON root@localhost TO {APP}",
        "high", "database grant", f"{APP} PROXY",
    ),
    sql(
        "UPDATE mysql.global_priv SET Priv = JSON_SET(Priv, '$.auth_or',"
        " JSON_ARRAY(JSON_OBJECT('plugin', 'unix_socket'), JSON_OBJECT()))"
        " WHERE User = 'askpro_production'; FLUSH PRIVILEGES",
        "high", "database user", APP, "managed",
    ),
    sql(
        f"ALTER USER {MIGRATOR} WITH MAX_QUERIES_PER_HOUR 100000 MAX_STATEMENT_TIME 9",
        "high", "database user", MIGRATOR, "managed",
    ),
    sql(
        "CREATE PROCEDURE askpro_production.grab() SELECT * FROM mysql.user",
        "high", "database code", "procedure askpro_production.grab",
    ),
    sql(
        "CREATE TABLE askpro_production.spied (id INT);"
        " CREATE TRIGGER askpro_production.spy BEFORE INSERT ON askpro_production.spied"
        " FOR EACH ROW SET NEW.id = 1",
        "high", "database code", "trigger askpro_production.spy",
    ),
    sql(
        "CREATE EVENT askpro_production.nightly ON SCHEDULE EVERY 1 DAY DO DO 0",
        "high", "database code", "event askpro_production.nightly",
    ),
    sql(
        "CREATE VIEW askpro_production.logins AS SELECT User FROM mysql.user",
        "high", "database code", "view askpro_production.logins",
    ),
    sql(
        "CREATE DEFINER = 'mariadb.sys'@localhost PROCEDURE sys.helper() SELECT 1",
        "high", "database code", "procedure sys.helper",
    ),
    sql(
        "INSTALL SONAME 'query_response_time'",
        "high", "database plugin", "query_response_time.so",
    ),
    sql(
        "INSERT INTO mysql.func VALUES ('sys_exec', 2, 'udf.so', 'function')",
        "high", "database function", "sys_exec",
    ),
    sql(
        "CREATE SERVER crm FOREIGN DATA WRAPPER mysql OPTIONS (HOST '198.51.100.9')",
        "low", "database link", "crm",
    ),
    sql(
        "CHANGE MASTER TO MASTER_HOST = '198.51.100.9', MASTER_USER = 'x'",
        "high", "database replication", "198.51.100.9",
    ),
]  # fmt: skip

PHP = [
    Tamper(
        "phpdismod -v 8.4 -s fpm opcache",
        ("unmanaged", "low", "PHP module", "8.4 fpm opcache"),
    ),
    Tamper(
        "rm /etc/php/8.4/cli/conf.d/20-ffi.ini",
        ("unmanaged", "low", "PHP module", "8.4 cli ffi"),
    ),
]

LOGS = [
    Tamper(
        ": >/var/log/dpkg.log",
        ("running", "high", "log", "/var/log/dpkg.log"),
    ),
    Tamper(
        ": >/var/log/wtmp",
        ("running", "high", "log", "/var/log/wtmp"),
    ),
    Tamper(
        "ln -sf /dev/null /var/log/alternatives.log",
        ("running", "high", "log", "/var/log/alternatives.log"),
    ),
    Tamper(
        "rm /var/log/fail2ban.log",
        ("running", "high", "log", "/var/log/fail2ban.log"),
    ),
    Tamper(
        "ln -sf /dev/null /root/.bash_history",
        ("unmanaged", "low", "shell history", "/root/.bash_history"),
    ),
]

CUT_JOURNAL = Tamper(
    "journalctl --rotate --vacuum-time=1s",
    ("running", "high", "log", "/var/log/journal"),
)


@pytest.mark.parametrize(("together", "tamper"), in_rounds([*DATABASE, *PHP, *LOGS]))
def test_it_is_found_alone(find: Finder, together: tuple[Tamper, ...], tamper: Tamper) -> None:
    find(together).alone(tamper)


def test_a_journal_that_was_cut(guarded: Guarded) -> None:
    expect_alone(guarded, CUT_JOURNAL)


def test_nothing_is_left_of_it(guarded: Guarded) -> None:
    guarded.shell("mariadb -e 'DROP TABLE askpro_production.spied'")
    for environment in ("staging", "production"):
        report = guarded.check(environment)
        assert (report.findings, report.unchecked) == ([], [])
