"""Staging beside production on one machine: what staging tries, and that all of it fails.

Each attempt is made as staging's Unix user, and again by staging's PHP, in its sandbox. The
control makes the same attempt as production's own user: there it works, so that the attempt
itself is known to be a real one.
"""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote as percent_encoded

import pytest
from provisioned import Provisioned, quote

STAGING, PRODUCTION = "askpro-staging", "askpro-production"
HOME = f"/var/www/{PRODUCTION}"
RUN = f"/run/redis-{PRODUCTION}/redis-server.sock"

ATTEMPTS = {
    "read production's .env": f"cat {HOME}/shared/.env",
    "read its code": f"cat {HOME}/current/public/index.php",
    "list its home": f"ls {HOME}",
    "list its storage": f"ls {HOME}/shared/storage/framework/sessions",
    "write to its storage": f"touch {HOME}/shared/storage/logs/planted",
    "connect to its PHP": "test -w /run/php-fpm-askpro-production/php-fpm.sock",
    "connect to its Redis": f"test -w {RUN}",
    "read its Redis data": f"ls /var/lib/redis-{PRODUCTION}",
    "read its logs": f"ls /var/log/php-fpm-{PRODUCTION}",
    "read its processes' environment": (
        f"cat /proc/$(systemctl show -p MainPID --value php-fpm@{PRODUCTION})/environ"
    ),
    "signal its PHP": f"kill -0 $(systemctl show -p MainPID --value php-fpm@{PRODUCTION})",
}
"""What production's own user can do, and staging's cannot."""

NOBODY = {
    "read a Redis password's hash": f"cat /etc/redis/redis-{PRODUCTION}.acl",
    "read a database login": "cat /etc/stagecraft/database/askproai_user.cnf",
    "read its certificate's key": f"cat /etc/ssl/stagecraft/{PRODUCTION}/privkey.pem",
    "read nginx's access log": f"cat /var/log/nginx/{PRODUCTION}.access.log",
    "reload nginx": "systemctl reload nginx",
    "restart production's PHP": f"systemctl restart php-fpm@{PRODUCTION}",
    "stop production's Redis": f"systemctl stop redis-server@{PRODUCTION}",
    "become production's user": f"setpriv --reuid {PRODUCTION} true",
    "change its own .env": f"touch /var/www/{STAGING}/shared/.env",
    "switch its own release": f"ln -sfn /etc /var/www/{STAGING}/current",
}
"""What no site's user can do."""


def as_user(host: Provisioned, user: str, command: str) -> bool:
    become = f"setpriv --reuid {user} --regid {user} --clear-groups --no-new-privs"
    return host.succeeds(f"{become} timeout 10 sh -c {quote(command)}")


@pytest.fixture(scope="module")
def shell(trixie: Provisioned) -> Iterator[Provisioned]:
    """Staging's PHP runs any command that it is sent: staging has been broken into."""
    index = f"/var/www/{STAGING}/current/public/index.php"
    script = "<?php exec($_GET['command'] . ' 2>&1', $output, $code); http_response_code(200);"
    script += "echo $code;"
    trixie.ssh(f"cp -p {index} /root/index.php; printf %s {quote(script)} > {index}")
    trixie.ssh(
        f"systemctl reload php-fpm@{STAGING}; systemctl reload php-fpm@{PRODUCTION}; sleep 1"
    )
    yield trixie
    trixie.ssh(f"cp -p /root/index.php {index}; systemctl reload php-fpm@{STAGING}")


def by_php(host: Provisioned, command: str) -> bool:
    url = f"https://staging.askpro.test/api/shell?command={percent_encoded(command)}"
    response = host.web.get(url)
    assert response.status == 200
    return response.text == "0"


@pytest.mark.parametrize("attempt", ATTEMPTS)
def test_the_attempt_works_for_production_itself(trixie: Provisioned, attempt: str) -> None:
    assert as_user(trixie, PRODUCTION, ATTEMPTS[attempt])
    trixie.ssh(f"rm -f {HOME}/shared/storage/logs/planted")


@pytest.mark.parametrize("attempt", ATTEMPTS | NOBODY)
def test_staging_s_user_cannot(trixie: Provisioned, attempt: str) -> None:
    assert not as_user(trixie, STAGING, (ATTEMPTS | NOBODY)[attempt])


def test_staging_s_php_runs_what_it_is_sent(shell: Provisioned) -> None:
    assert by_php(shell, "true")
    assert not by_php(shell, "false")
    assert by_php(shell, f"touch /var/www/{STAGING}/shared/storage/logs/own")
    assert not by_php(shell, f"touch /var/www/{STAGING}/releases/planted")


@pytest.mark.parametrize("attempt", ATTEMPTS | NOBODY)
def test_staging_s_php_cannot(shell: Provisioned, attempt: str) -> None:
    assert not by_php(shell, (ATTEMPTS | NOBODY)[attempt])


def test_staging_s_php_sees_no_process_of_production(shell: Provisioned) -> None:
    pid = shell.ssh(f"systemctl show -p MainPID --value php-fpm@{PRODUCTION}")
    assert not by_php(shell, f"test -e /proc/{pid}")


@pytest.mark.parametrize("user", ["askproai_staging", "askproai_staging_migrator"])
def test_staging_s_database_logins_cannot_even_list_production(
    trixie: Provisioned, user: str
) -> None:
    client = f"mariadb --defaults-file=/etc/stagecraft/database/{user}.cnf --batch"
    assert "askproai_db" not in trixie.ssh(client, input="SHOW DATABASES")
    for statement in (
        "USE askproai_db",
        "SELECT * FROM mysql.user",
        "CREATE DATABASE planted",
        "SET GLOBAL max_connections = 1",
        "SELECT LOAD_FILE('/etc/passwd') INTO OUTFILE '/tmp/x'",
    ):
        assert not trixie.succeeds(f"echo {quote(statement)} | {client}"), statement


def test_staging_cannot_use_up_production_s_connections(trixie: Provisioned) -> None:
    """Its own limit stops it far below the server's; production still gets in meanwhile."""
    limit = trixie.site().database.connections
    total = int(trixie.ssh("mariadb -BNe 'SELECT @@max_connections'"))
    assert limit < total
    client = "mariadb --defaults-file=/etc/stagecraft/database/askproai_staging.cnf"
    trixie.ssh(
        f"for n in $(seq {limit + 20}); do {client} -e 'SELECT SLEEP(8)' >/dev/null 2>&1 & done;"
        " sleep 3"
    )
    held = "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE USER = 'askproai_staging'"
    assert int(trixie.ssh(f"mariadb -BNe {quote(held)}")) == limit
    assert trixie.web.get("https://api.askpro.test/health").status == 200
    trixie.ssh("sleep 7")


def test_staging_s_redis_login_does_not_open_production_s(trixie: Provisioned) -> None:
    """Root, who may connect to any socket, tries staging's login there."""
    password = trixie.secret("REDIS_PASSWORD")
    command = f"REDISCLI_AUTH={quote(password)} redis-cli -s {RUN} --user {STAGING}"
    for words in ("GET askpro_cache_x", "DBSIZE", "FLUSHDB", "SUBSCRIBE askpro_cache_x"):
        assert "WRONGPASS" in trixie.ssh(f"{command} {words} 2>&1")


def test_clearing_staging_s_cache_and_reloading_its_php_costs_production_nothing(
    trixie: Provisioned,
) -> None:
    """FLUSHDB, which is Laravel's cache:clear, and a reload, while production is being asked."""
    password = trixie.secret("REDIS_PASSWORD")
    socket = f"/run/redis-{STAGING}/redis-server.sock"
    flush = f"REDISCLI_AUTH={quote(password)} redis-cli -s {socket} --user {STAGING} FLUSHDB"
    disturb = f"for n in 1 2 3 4 5; do {flush}; systemctl reload php-fpm@{STAGING}; sleep 0.3; done"
    trixie.ssh(f"({disturb}) >/dev/null 2>&1 &")
    statuses = [trixie.web.get("https://api.askpro.test/health").status for _ in range(60)]
    assert set(statuses) == {200}


def test_nginx_serves_nothing_of_production_through_a_link_of_staging(
    trixie: Provisioned,
) -> None:
    public = f"/var/www/{STAGING}/current/public"
    asset = f"{HOME}/current/public/asset.txt"
    trixie.ssh(f"echo production > {asset}; chown {PRODUCTION}: {asset}")
    trixie.ssh(f"ln -s {asset} {public}/asset.txt; ln -s {HOME}/current/public {public}/all")
    trixie.ssh(f"chown -h {STAGING}: {public}/asset.txt {public}/all")
    assert trixie.web.get("https://api.askpro.test/asset.txt").text == "production\n"
    for path in ("asset.txt", "all/asset.txt"):
        body = trixie.web.get(f"https://staging.askpro.test/{path}", login=trixie.qa).body
        assert b"production" not in body
    trixie.ssh(f"rm {asset} {public}/asset.txt {public}/all")
