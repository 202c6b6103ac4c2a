"""The database: schema, accounts, least rights, local only; on both MariaDBs and MySQL."""

from __future__ import annotations

import pytest
import yaml
from provisioned import Provisioned

from stagecraft.operations.database import MIGRATOR_PRIVILEGES


@pytest.fixture(scope="session", params=["trixie", "bookworm", "mysql"])
def host(request: pytest.FixtureRequest) -> Provisioned:
    return request.getfixturevalue(request.param)


def client(host: Provisioned) -> str:
    return host.environment().server.engine.client


def sql(host: Provisioned, statement: str) -> str:
    """As the server's root, through the socket."""
    return host.ssh(f"{client(host)} --batch --raw --skip-column-names", input=statement)


def query_as(host: Provisioned, user: str, statement: str) -> tuple[bool, str]:
    """With an account's own login; whether it worked, and what was printed."""
    options = f"--defaults-file=/etc/stagecraft/database/{user}.cnf"
    output = host.ssh(
        f"{client(host)} {options} --batch --raw --skip-column-names 2>&1 || echo FAILED",
        input=statement,
    )
    return not output.endswith("FAILED"), output


APP, MIGRATOR, SCHEMA = "askproai_staging", "askproai_staging_migrator", "askproai_staging"


def test_the_engine_is_the_declared_one(host: Provisioned) -> None:
    is_mariadb = "MariaDB" in sql(host, "SELECT VERSION()")
    assert is_mariadb == (host.environment().server.database.engine == "mariadb")


def test_the_schema_has_the_declared_charset_and_collation(host: Provisioned) -> None:
    query = (
        "SELECT DEFAULT_CHARACTER_SET_NAME, DEFAULT_COLLATION_NAME"
        f" FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = '{SCHEMA}'"
    )
    assert sql(host, query).split() == ["utf8mb4", "utf8mb4_unicode_ci"]


def test_the_app_reads_and_writes_rows_and_cannot_change_tables(host: Provisioned) -> None:
    table = f"{SCHEMA}.rights"
    worked, output = query_as(host, MIGRATOR, f"CREATE TABLE {table} (id INT PRIMARY KEY)")
    assert worked, output
    worked, output = query_as(
        host,
        APP,
        f"INSERT INTO {table} VALUES (1); UPDATE {table} SET id = 2;"
        f" SELECT id FROM {table}; DELETE FROM {table}",
    )
    assert (worked, output) == (True, "2")
    for statement in (
        f"DROP TABLE {table}",
        f"ALTER TABLE {table} ADD x INT",
        "CREATE TABLE t (i INT)",
    ):
        worked, output = query_as(host, APP, f"USE {SCHEMA}; {statement}")
        assert not worked and "denied" in output
    worked, output = query_as(host, MIGRATOR, f"DROP TABLE {table}")
    assert worked, output


def test_the_migrator_has_exactly_what_migrations_need(host: Provisioned) -> None:
    rows = sql(
        host,
        "SELECT TABLE_SCHEMA, PRIVILEGE_TYPE FROM information_schema.SCHEMA_PRIVILEGES"
        f" WHERE GRANTEE = \"'{MIGRATOR}'@'localhost'\"",
    )
    held = {tuple(line.split("\t")) for line in rows.splitlines()}
    assert held == {(r"askproai\_staging", privilege) for privilege in MIGRATOR_PRIVILEGES}


def test_an_underscore_in_the_schemas_name_is_no_wildcard(host: Provisioned) -> None:
    sql(host, "CREATE DATABASE IF NOT EXISTS askproaiXstaging")
    worked, output = query_as(host, APP, "USE askproaiXstaging")
    sql(host, "DROP DATABASE askproaiXstaging")
    assert not worked and "denied" in output


def test_an_account_sees_no_other_schema(host: Provisioned) -> None:
    for user in (APP, MIGRATOR):
        _, output = query_as(host, user, "SHOW DATABASES")
        assert set(output.split()) <= {SCHEMA, "information_schema", "performance_schema"}


def test_the_apps_connections_are_limited(host: Provisioned) -> None:
    query = f"SELECT max_user_connections FROM mysql.user WHERE User = '{APP}'"
    assert sql(host, query) == "60"


def test_the_server_has_no_port(host: Provisioned) -> None:
    daemon = "mariadbd" if client(host) == "mariadb" else "mysqld"
    assert host.ssh(f"ss -Hltunp | grep {daemon} || true") == ""
    assert host.succeeds(f"ss -Hlxp | grep -F 'mysqld.sock ' | grep {daemon}")


def test_no_account_can_come_from_elsewhere(host: Provisioned) -> None:
    assert sql(host, "SELECT DISTINCT Host FROM mysql.user") == "localhost"


def test_login_files_are_roots_alone(host: Provisioned) -> None:
    listing = host.ssh("stat -c '%U %a' /etc/stagecraft/database /etc/stagecraft/database/*.cnf")
    assert set(listing.splitlines()) == {"root 700", "root 600"}


def test_the_servers_defaults_are_ours(host: Provisioned) -> None:
    row = sql(host, "SELECT @@character_set_server, @@collation_server").split()
    assert row == ["utf8mb4", "utf8mb4_unicode_ci"]
    memory_kb = int(host.ssh("awk '/^MemTotal:/ {print $2}' /proc/meminfo"))
    declared = memory_kb // 1024 // 256 * 256 * 5 // 100
    assert abs(int(sql(host, "SELECT @@innodb_buffer_pool_size")) / 2**20 - declared) < 130


def test_the_server_reads_and_writes_nobody_s_files_even_for_root(host: Provisioned) -> None:
    assert sql(host, "SELECT LOAD_FILE('/etc/passwd') IS NULL") == "1"
    for statement in (
        "SELECT 1 INTO OUTFILE '/tmp/written'",
        f"CREATE TEMPORARY TABLE {SCHEMA}.t (l TEXT);"
        f" LOAD DATA LOCAL INFILE '/etc/passwd' INTO TABLE {SCHEMA}.t",
    ):
        with pytest.raises(AssertionError, match=r"ERROR (1290|3948|4166) "):
            host.ssh(f"{client(host)} --local-infile=1", input=statement)
    assert not host.succeeds("test -e /tmp/written")


def test_an_idle_connection_is_closed_within_an_hour(host: Provisioned) -> None:
    waits = sql(host, "SELECT @@GLOBAL.wait_timeout, @@GLOBAL.interactive_timeout")
    assert waits.split() == ["3600", "3600"]


DAMAGE = f"""
ALTER DATABASE {SCHEMA} COLLATE utf8mb4_bin;
GRANT SELECT, PROCESS ON *.* TO '{APP}'@'localhost';
GRANT DROP ON `askproai\\_staging`.* TO '{APP}'@'localhost';
REVOKE INSERT ON `askproai\\_staging`.* FROM '{APP}'@'localhost';
ALTER USER '{APP}'@'localhost' IDENTIFIED BY 'changed by hand';
ALTER USER '{APP}'@'localhost' WITH MAX_USER_CONNECTIONS 0;
DROP USER '{MIGRATOR}'@'localhost';
"""


def test_what_was_changed_by_hand_is_planned_and_put_right(host: Provisioned) -> None:
    before = state(host)
    sql(host, DAMAGE)
    assert state(host) != before
    expected = [f"Database | Create the database {SCHEMA} and its accounts"]
    assert host.project.plan("staging") == expected
    assert host.project.apply("staging") == expected
    assert state(host) == before
    assert query_as(host, MIGRATOR, "SELECT 1") == (True, "1")
    assert host.web.get("https://staging.askpro.test/health").status == 200
    assert host.project.plan("staging") == []


def state(host: Provisioned) -> set[str]:
    """All that is declared of the schema and its accounts, as the server tells it."""
    accounts = f"('{APP}', '{MIGRATOR}')"
    return set(
        sql(
            host,
            "SELECT GRANTEE, TABLE_SCHEMA, PRIVILEGE_TYPE"
            " FROM information_schema.SCHEMA_PRIVILEGES WHERE TABLE_SCHEMA LIKE 'askproai%';"
            "SELECT GRANTEE, PRIVILEGE_TYPE FROM information_schema.USER_PRIVILEGES"
            " WHERE GRANTEE LIKE '%askproai%';"
            f"SELECT User, max_user_connections FROM mysql.user WHERE User IN {accounts};"
            "SELECT SCHEMA_NAME, DEFAULT_COLLATION_NAME FROM information_schema.SCHEMATA;",
        ).splitlines()
    )


def test_a_new_password_in_the_secrets_reaches_server_and_app(trixie: Provisioned) -> None:
    """Both files and the account change in one run, and the plan shows all of it."""
    secrets = trixie.project.directory / ".stagecraft/secrets/staging.yml"
    before = secrets.read_text()
    rotate(trixie, "DB_PASSWORD")
    planned = trixie.project.plan("staging")
    assert planned == [
        f"Database | Write the logins of {SCHEMA}",
        f"Database | Create the database {SCHEMA} and its accounts",
        "App settings | Write /var/www/askpro-staging/shared/.env",
        "Manifest | Record what staging consists of",
    ]
    assert trixie.project.apply("staging") == planned
    assert trixie.web.get("https://staging.askpro.test/health").status == 200
    secrets.write_text(before)
    trixie.project.apply("staging")


def rotate(host: Provisioned, key: str) -> None:
    """Removes one value; a throwaway server's secrets make themselves anew."""
    path = host.project.directory / ".stagecraft/secrets/staging.yml"
    values = yaml.safe_load(path.read_text())
    del values["askpro"][key]
    path.write_text(yaml.safe_dump(values))
