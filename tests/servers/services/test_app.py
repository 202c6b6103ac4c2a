"""The app's home: what belongs to whom, and what the placeholder and .env say."""

from __future__ import annotations

from provisioned import Provisioned

HOME = "/var/www/askpro-staging"


def as_user(host: Provisioned, user: str, command: str) -> bool:
    return host.succeeds(f"setpriv --reuid {user} --regid {user} --clear-groups sh -c '{command}'")


def dotenv(host: Provisioned, home: str = HOME) -> dict[str, str]:
    lines = host.ssh(f"cat {home}/shared/.env").splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def test_env_is_the_sites_to_read_and_nobody_elses(host: Provisioned) -> None:
    env = f"{HOME}/shared/.env"
    assert host.ssh(f"stat -c '%U:%G %a' {env}") == "root:askpro-staging 640"
    assert as_user(host, "askpro-staging", f"test -r {env} && ! test -w {env}")
    for stranger in ("www-data", "shop-staging", ["nobody", "nogroup"][0]):
        assert not host.succeeds(f"setpriv --reuid {stranger} --clear-groups test -r {env}")


def test_env_holds_everything_derived(host: Provisioned) -> None:
    env = dotenv(host)
    expected = {
        "APP_ENV": "staging",
        "APP_URL": "https://staging.askpro.test",
        "APP_DEBUG": "true",
        "DB_CONNECTION": "mysql",
        "DB_DATABASE": "askproai_staging",
        "DB_USERNAME": "askproai_staging",
        "DB_PASSWORD": host.secret("DB_PASSWORD"),
        "CACHE_DRIVER": "redis",
        "CACHE_STORE": "redis",
        "SESSION_DRIVER": "redis",
        "QUEUE_CONNECTION": "redis",
        "REDIS_PREFIX": "askpro_staging_",
        "CACHE_PREFIX": "askpro_staging_",
        "HORIZON_PREFIX": "askpro_staging_horizon:",
        "SESSION_COOKIE": "askpro_staging_session",
        "FEATURE_CUSTOMER_PORTAL": "true",
        "FEATURE_CUSTOMER_PORTAL_CRM": "false",
        "RETELL_API_KEY": host.secret("RETELL_API_KEY"),
    }
    assert {key: env.get(key) for key in expected} == expected
    assert env["APP_KEY"].strip('"').startswith("base64:")


def test_secrets_of_two_sites_differ(host: Provisioned) -> None:
    ours, theirs = dotenv(host), dotenv(host, "/var/www/shop-staging")
    for key in ("APP_KEY", "DB_PASSWORD", "REDIS_PASSWORD", "SESSION_COOKIE", "CACHE_PREFIX"):
        assert ours[key] != theirs[key]


def test_nginx_reads_public_and_nothing_else(host: Provisioned) -> None:
    read = "setpriv --reuid www-data --regid www-data --clear-groups"
    release = f"{HOME}/releases/placeholder"
    host.ssh(f"install -d -g askpro-staging -m 750 {release}/app")
    host.ssh(f"install -g askpro-staging -m 640 /dev/null {release}/app/x.php")
    asset = f"{HOME}/current/public/robots.txt"
    host.ssh(f"touch {asset}")
    assert host.succeeds(f"{read} cat {asset}")
    for path in (f"{release}/app/x.php", f"{HOME}/shared/.env", f"{release}/.env"):
        assert not host.succeeds(f"{read} cat {path}"), path
    for directory in (HOME, f"{HOME}/releases", f"{HOME}/shared", release):
        assert not host.succeeds(f"{read} ls {directory}"), directory
    host.ssh(f"rm -r {release}/app {asset}")


def test_the_site_writes_its_storage_and_nothing_else(host: Provisioned) -> None:
    become = "setpriv --reuid askpro-staging --regid askpro-staging --clear-groups"
    builds = f"-path {HOME}/builds -prune -o"  # of its releases; it cannot even look into it
    writable = host.ssh(f"cd /; {become} find {HOME} {builds} -writable ! -type l -print")
    assert writable.splitlines()[0] == f"{HOME}/shared/storage"
    assert all(path.startswith(f"{HOME}/shared/storage") for path in writable.splitlines())


def test_a_neighbour_enters_nothing(host: Provisioned) -> None:
    for path in (HOME, f"{HOME}/current/public", f"{HOME}/shared/storage"):
        assert not as_user(host, "shop-staging", f"ls {path}")


def test_health_is_503_when_the_database_is_down(host: Provisioned) -> None:
    host.ssh("systemctl stop mariadb.service")
    try:
        response = host.web.get("https://staging.askpro.test/health")
        assert response.status == 503
        assert response.json["status"] == "error"
        assert (response.json["database"], response.json["cache"]) == ("failed", "connected")
        plan = host.project.plan("staging")
        assert plan[0] == "Database server | Run mariadb: start, it is inactive"
    finally:
        host.project.apply("staging")
    assert host.web.get("https://staging.askpro.test/health").status == 200
    assert host.project.plan("staging") == []


def test_health_is_503_when_redis_is_down(host: Provisioned) -> None:
    host.ssh("systemctl stop redis-server@askpro-staging.service")
    try:
        response = host.web.get("https://staging.askpro.test/health")
        assert response.status == 503
        assert (response.json["database"], response.json["cache"]) == ("connected", "failed")
    finally:
        assert host.project.apply("staging") == [
            "Redis | Run Redis of askpro-staging: start, it is inactive"
        ]
    assert host.web.get("https://staging.askpro.test/health").status == 200


def test_the_health_check_of_another_site_is_not_concerned(host: Provisioned) -> None:
    host.ssh("systemctl stop redis-server@askpro-staging.service")
    assert host.web.get("https://shop.test/health").status == 200
    host.ssh("systemctl start redis-server@askpro-staging.service")


def test_the_reason_of_a_failed_check_is_in_the_sites_log_alone(host: Provisioned) -> None:
    host.ssh("systemctl stop redis-server@shop-staging.service")
    response = host.web.get("https://shop.test/health")
    host.ssh("systemctl start redis-server@shop-staging.service")
    assert response.status == 503
    assert b"sock" not in response.body
    assert "cache: " in host.ssh("cat /var/log/nginx/shop-staging.error.log")
