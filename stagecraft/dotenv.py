"""The app's `.env`: variables derived from the site's settings, and the quoting of values."""

import re
from collections.abc import Mapping

from stagecraft.engines import Engine
from stagecraft.secrets import Secret
from stagecraft.services import Redis
from stagecraft.settings import Site

PLAIN = re.compile(r"[A-Za-z0-9_./:@%+,=-]*")

Value = str | int | float | bool | None

DRIVERS: dict[str, Value] = {
    "CACHE_DRIVER": "redis",
    "CACHE_STORE": "redis",
    "SESSION_DRIVER": "redis",
    "SESSION_SECURE_COOKIE": True,
    "QUEUE_CONNECTION": "redis",
    "BROADCAST_DRIVER": "log",
    "BROADCAST_CONNECTION": "log",
}
"""The names of Laravel up to 10, and those from 11 on."""


def variables(site: Site, engine: Engine, secrets: Mapping[str, Secret]) -> dict[str, str]:
    """Everything in the site's `.env`, quoted, in order. The site's own `env:` may replace the
    drivers, but not what isolates it from its neighbours."""
    given = {key: secrets[key].reveal() for key in site.secrets}
    values = DRIVERS | site.env | site.feature_variables | identity(site, engine, secrets) | given
    return {key: quoted(value) for key, value in sorted(values.items())}


def public(site: Site, engine: Engine, secrets: Mapping[str, Secret]) -> frozenset[str]:
    """The variables that do not depend on secrets."""
    without = variables(site, engine, {key: Secret("") for key in secrets})
    return frozenset(
        key for key, value in variables(site, engine, secrets).items() if value == without[key]
    )


def identity(site: Site, engine: Engine, secrets: Mapping[str, Secret]) -> dict[str, Value]:
    """Variables that must be unique. Laravel derives prefixes and the cookie from APP_NAME, which
    two environments may share, so all are set."""
    return {
        "APP_ENV": site.environment,
        "APP_KEY": secrets["APP_KEY"].reveal(),
        "APP_URL": f"https://{site.domain}",
        "DB_CONNECTION": engine.driver,
        "DB_HOST": "localhost",
        "DB_PORT": engine.ports[0],
        "DB_SOCKET": engine.socket,
        "DB_DATABASE": site.database.name,
        "DB_USERNAME": site.database.user,
        "DB_PASSWORD": secrets["DB_PASSWORD"].reveal(),
        "DB_CHARSET": site.database.charset,
        "DB_COLLATION": site.database.collation,
        "REDIS_CLIENT": "phpredis",
        "REDIS_HOST": Redis(site.name).socket,
        "REDIS_PORT": 0,
        "REDIS_USERNAME": site.name,
        "REDIS_PASSWORD": secrets["REDIS_PASSWORD"].reveal(),
        "REDIS_DB": 0,
        # cache:clear runs FLUSHDB: a separate database protects jobs and sessions.
        "REDIS_CACHE_DB": 1,
        "REDIS_PREFIX": site.redis.prefix,
        "CACHE_PREFIX": site.redis.prefix,
        "HORIZON_PREFIX": f"{site.redis.prefix}horizon:",
        "SESSION_COOKIE": f"{site.name.replace('-', '_')}_session",
    }


def quoted(value: Value) -> str:
    """A value as phpdotenv reads it: unquoted if that is safe, else in double quotes."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    text = str(value)
    if PLAIN.fullmatch(text):
        return text
    escaped = re.sub(r'([\\"$])', r"\\\1", text)
    return f'"{escaped}"'
