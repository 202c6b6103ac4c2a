"""The app's .env: everything that keeps environments apart is derived, everything is readable."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter

from stagecraft import dotenv
from stagecraft.engines.mariadb import MARIADB
from stagecraft.secrets import Secret
from stagecraft.settings.values import EnvironmentVariable


def unquoted(value: str) -> str:
    """As phpdotenv reads it: in double quotes a backslash makes the next character plain."""
    if not value.startswith('"'):
        assert not re.search(r"""[\s"'#$\\]""", value), "not safe without quotes"
        return value
    inner = value[1:-1]
    assert not re.search(r'(?<!\\)(?:\\\\)*["$]', inner), "ends early, or is a variable"
    return re.sub(r"\\(.)", r"\1", inner)


@pytest.fixture
def variables(make_site: Any, make_secrets: Any) -> Any:
    def of(**settings: Any) -> dict[str, str]:
        site = make_site(**settings)
        return dotenv.variables(site, MARIADB, make_secrets(site))

    return of


def test_no_site_sets_what_is_derived(make_site: Any, make_secrets: Any) -> None:
    site = make_site()
    for name in dotenv.identity(site, MARIADB, make_secrets(site)):
        with pytest.raises(ValueError, match="is derived from"):
            TypeAdapter(EnvironmentVariable).validate_python(name)


def test_what_no_secret_decides_is_public(make_site: Any, make_secrets: Any) -> None:
    site = make_site(secrets=["API_KEY"], env={"APP_NAME": "Shop"}, features={"portal": True})
    secrets = make_secrets(site) | {"API_KEY": Secret('quoted "$x"')}
    secret = dotenv.variables(site, MARIADB, secrets).keys() - dotenv.public(site, MARIADB, secrets)
    assert secret == {"APP_KEY", "DB_PASSWORD", "REDIS_PASSWORD", "API_KEY"}


DERIVED = {
    "APP_ENV": "staging",
    "APP_KEY": "the-app_key-of-askpro-staging",
    "APP_URL": "https://staging.askproai.de",
    "DB_CONNECTION": "mysql",
    "DB_HOST": "localhost",
    "DB_PORT": "3306",
    "DB_SOCKET": "/run/mysqld/mysqld.sock",
    "DB_DATABASE": "askproai_staging",
    "DB_USERNAME": "askproai",
    "DB_PASSWORD": "the-db_password-of-askpro-staging",
    "DB_CHARSET": "utf8mb4",
    "DB_COLLATION": "utf8mb4_unicode_ci",
    "REDIS_CLIENT": "phpredis",
    "REDIS_HOST": "/run/redis-askpro-staging/redis-server.sock",
    "REDIS_PORT": "0",
    "REDIS_USERNAME": "askpro-staging",
    "REDIS_PASSWORD": "the-redis_password-of-askpro-staging",
    "REDIS_DB": "0",
    "REDIS_CACHE_DB": "1",
    "REDIS_PREFIX": "askpro_staging_",
    "CACHE_PREFIX": "askpro_staging_",
    "HORIZON_PREFIX": "askpro_staging_horizon:",
    "SESSION_COOKIE": "askpro_staging_session",
    "CACHE_DRIVER": "redis",
    "CACHE_STORE": "redis",
    "SESSION_DRIVER": "redis",
    "SESSION_SECURE_COOKIE": "true",
    "QUEUE_CONNECTION": "redis",
    "BROADCAST_DRIVER": "log",
    "BROADCAST_CONNECTION": "log",
}


def test_every_derived_variable_is_there_and_no_other(variables: Any) -> None:
    found = variables(
        domain="staging.askproai.de", database={"name": "askproai_staging", "user": "askproai"}
    )
    assert found == DERIVED


@pytest.mark.parametrize(
    "key",
    ["DB_DATABASE", "DB_USERNAME", "REDIS_HOST", "REDIS_USERNAME", "REDIS_PREFIX", "CACHE_PREFIX",
     "HORIZON_PREFIX", "SESSION_COOKIE", "APP_ENV", "APP_URL"],
)  # fmt: skip
def test_staging_and_production_never_share(variables: Any, key: str) -> None:
    """Though both have one APP_NAME, from which Laravel would derive some of these."""
    staging = variables(environment="staging", env={"APP_NAME": "AskPro"})
    production = variables(environment="production", env={"APP_NAME": "AskPro"})
    assert staging[key] != production[key]


def test_the_migrator_s_password_is_not_in_it(variables: Any) -> None:
    assert "the-db_migrator_password" not in str(variables())


def test_basic_auth_s_passwords_are_not_in_it(variables: Any) -> None:
    assert "basic_auth" not in str(variables(protect={"basic_auth": ["qa"]})).lower()


def test_declared_values_flags_and_secrets_are_in_it(variables: Any) -> None:
    found = variables(
        env={"APP_NAME": "AskPro", "APP_DEBUG": False},
        features={"customer_portal": True},
        secrets=["RETELL_API_KEY"],
    )
    assert (
        found.items()
        >= {
            "APP_NAME": "AskPro",
            "APP_DEBUG": "false",
            "FEATURE_CUSTOMER_PORTAL": "true",
            "RETELL_API_KEY": "the-retell_api_key-of-askpro-staging",
        }.items()
    )


def test_a_site_may_choose_another_driver(variables: Any) -> None:
    assert variables(env={"QUEUE_CONNECTION": "sync"})["QUEUE_CONNECTION"] == "sync"


def test_the_order_is_the_same_in_every_run(variables: Any) -> None:
    found = list(variables(env={"ZZ": 1, "AA": 1}))
    assert found == sorted(found)


# --- Quoting ---


@pytest.mark.parametrize(
    ("value", "text"),
    [(True, "true"), (False, "false"), (None, "null"), (0, "0"), (1.5, "1.5"), ("", "")],
)
def test_a_value_of_yaml_is_what_laravel_s_env_understands(value: Any, text: str) -> None:
    assert dotenv.quoted(value) == text


@pytest.mark.parametrize("text", ["plain", "base64:aGk+/w==", "https://x.test/y", "a,b", "50%"])
def test_a_plain_text_stands_bare(text: str) -> None:
    assert dotenv.quoted(text) == text


AWKWARD = [
    "two words", " leading", "a#comment", "a # comment", 'say "hi"', "it's", "$HOME", "${DB_HOST}",
    "back\\slash", "ends with \\", '\\"', "\\\\$x", "ä€", "`id`", "a;b", "'quoted'", "!x", "a|b&c",
]  # fmt: skip


@pytest.mark.parametrize("text", AWKWARD)
def test_no_text_is_changed_cut_or_expanded(text: str) -> None:
    assert unquoted(dotenv.quoted(text)) == text


def test_a_secret_is_quoted_like_any_other_value(make_site: Any, make_secrets: Any) -> None:
    site = make_site(secrets=["TOKEN"])
    secrets = make_secrets(site) | {"TOKEN": Secret("a $b #c")}
    assert dotenv.variables(site, MARIADB, secrets)["TOKEN"] == '"a \\$b #c"'


@pytest.mark.skipif(not shutil.which("php"), reason="needs php-cli")
def test_the_placeholder_reads_what_is_quoted_here(tmp_path: Path) -> None:
    lines = [f"KEY_{n}={dotenv.quoted(text)}\n" for n, text in enumerate(["", "x=y", *AWKWARD])]
    (tmp_path / ".env").write_text("# comment\n" + "".join(lines))
    template = Path(__file__).parents[2] / "templates/app/placeholder.php.j2"
    (function,) = re.findall(r"^function environment.*?^}", template.read_text(), re.M | re.S)
    php = f"{function}\necho json_encode(array_values(environment($argv[1])));"
    result = subprocess.run(
        ["php", "-r", php, str(tmp_path / ".env")], capture_output=True, text=True, check=True
    )
    assert json.loads(result.stdout) == ["", "x=y", *AWKWARD]
