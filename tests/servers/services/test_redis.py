"""Redis: an instance and an account for each site, confined to its prefix."""

from __future__ import annotations

from posixpath import dirname

import pytest
from provisioned import Provisioned

SOCKET = "/run/redis-askpro-staging/redis-server.sock"


def redis(host: Provisioned, *command: str, login: bool = True) -> str:
    """redis-cli as the site's Unix user; the password travels in the environment."""
    words = " ".join(f"'{word}'" for word in command)
    auth = ""
    if login:
        password = host.secret("REDIS_PASSWORD")
        auth = f"REDISCLI_AUTH='{password}' "
    user = "--user askpro-staging " if login else ""
    become = "setpriv --reuid askpro-staging --regid askpro-staging --clear-groups"
    return host.ssh(f"{auth}{become} redis-cli -s {SOCKET} {user}{words} 2>&1")


def test_it_listens_on_a_socket_alone(host: Provisioned) -> None:
    assert not host.succeeds("ss -Hltnp | grep -q redis")
    assert host.ssh(f"stat -c '%U:%G %a' {SOCKET} {dirname(SOCKET)}").splitlines() == [
        "redis-askpro-staging:askpro-staging 770",
        "redis-askpro-staging:askpro-staging 750",
    ]


def test_without_a_login_nothing_is_answered(host: Provisioned) -> None:
    assert "NOAUTH" in redis(host, "GET", "askpro_staging_x", login=False)


def test_the_account_is_confined_to_the_prefix(host: Provisioned) -> None:
    assert redis(host, "SET", "askpro_staging_x", "1") == "OK"
    assert redis(host, "GET", "askpro_staging_x") == "1"
    for command in (("SET", "other", "1"), ("GET", "askpro_cache_x"), ("PUBLISH", "other", "1")):
        assert "NOPERM" in redis(host, *command)
    redis(host, "DEL", "askpro_staging_x")


@pytest.mark.parametrize(
    "command",
    [
        "KEYS *",
        "FLUSHALL",
        "CONFIG GET *",
        "ACL LIST",
        "SHUTDOWN",
        "DEBUG SLEEP 0",
        "FUNCTION LIST",
        "REPLICAOF 127.0.0.1 1",
    ],
)
def test_dangerous_commands_are_refused(host: Provisioned, command: str) -> None:
    assert redis(host, *command.split()).startswith(("NOPERM", "ERR DEBUG command not allowed"))


@pytest.mark.parametrize(
    "command",
    [
        ("FLUSHDB",),
        ("SCAN", "0"),
        ("INFO",),
        ("SELECT", "1"),
        ("EVAL", 'return redis.call("get", KEYS[1])', "1", "askpro_staging_x"),
    ],
)
def test_what_laravel_needs_is_allowed(host: Provisioned, command: tuple[str, ...]) -> None:
    assert not redis(host, *command).startswith(("NOPERM", "ERR"))


def test_memory_is_capped_and_jobs_are_never_evicted(host: Provisioned) -> None:
    """Filled far beyond the cap with expiring entries, a job without a lifetime stays."""
    information = redis(host, "INFO", "memory")
    assert "maxmemory:67108864" in information
    assert "maxmemory_policy:volatile-lru" in information
    redis(host, "RPUSH", "askpro_staging_queues:default", "job")
    fill = 'for i = 1, 700 do redis.call("setex", KEYS[1] .. i, 600, string.rep("x", 131072)) end'
    assert "error" not in redis(host, "EVAL", fill, "1", "askpro_staging_fill").lower()
    assert "evicted_keys:0\r" not in redis(host, "INFO", "stats")
    assert redis(host, "LLEN", "askpro_staging_queues:default") == "1"
    redis(host, "FLUSHDB")


def test_queued_jobs_survive_a_restart(host: Provisioned) -> None:
    redis(host, "RPUSH", "askpro_staging_queues:default", "job")
    host.ssh("systemctl restart redis-server@askpro-staging.service")
    assert redis(host, "LLEN", "askpro_staging_queues:default") == "1"
    redis(host, "FLUSHDB")


def test_the_instances_are_apart(host: Provisioned) -> None:
    """Own user, own directory, own socket: a neighbour's user cannot even reach the socket."""
    assert host.ssh("stat -c '%U %a' /var/lib/redis-askpro-staging") == "redis-askpro-staging 700"
    reach = f"setpriv --reuid shop-staging --regid shop-staging --clear-groups test -e {SOCKET}"
    assert not host.succeeds(reach)


def test_the_password_is_on_the_server_as_a_hash_alone(host: Provisioned) -> None:
    password = host.secret("REDIS_PASSWORD")
    acl = host.ssh("cat /etc/redis/redis-askpro-staging.acl")
    assert password not in acl and "#" in acl
    assert host.ssh("stat -c '%U %G %a' /etc/redis/redis-askpro-staging.acl") == (
        "root askpro-staging 640"
    )
