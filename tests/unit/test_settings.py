"""Every setting that is wrong is refused, with the file, the line, the key and what is right."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from stagecraft.settings import (
    Environment,
    SettingsError,
    environment_of,
    read,
)

ALL = """\
servers:
  askpro-1:
    address: 203.0.113.10
"""

STAGING = """\
server: askpro-1
sites:
  askpro:
    domain: staging.askproai.de
    tls: {email: ops@askproai.de}
"""

PRODUCTION = """\
server: askpro-1
sites:
  askpro:
    domain: api.askproai.de
    tls: {email: ops@askproai.de}
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "group_data").mkdir()
    write(tmp_path, all=ALL, staging=STAGING)
    return tmp_path


def write(root: Path, **files: str) -> None:
    for name, text in files.items():
        (root / f"group_data/{name}.yml").write_text(text)


def problems(root: Path, environment: str = "staging") -> list[str]:
    with pytest.raises(SettingsError) as error:
        read(environment, root)
    return [str(problem) for problem in error.value.problems]


def problem(root: Path, environment: str = "staging") -> str:
    (only,) = problems(root, environment)
    return only


def site(root: Path, lines: str) -> str:
    """The one problem of a site with these lines, which begin on line 6 of staging.yml."""
    write(root, staging=STAGING + "".join(f"    {line}\n" for line in lines.splitlines()))
    return problem(root)


# --- What is right ---


def test_a_site_is_named_after_where_it_is_written(root: Path) -> None:
    askpro = read("staging", root).site("askpro")
    assert askpro.name == "askpro-staging"
    assert askpro.home == "/var/www/askpro-staging"
    assert askpro.database.name == askpro.database.user == "askpro_staging"
    assert askpro.database.migrator == "askpro_staging_migrator"
    assert askpro.redis.prefix == "askpro_staging_"


def test_sizes_come_in_bytes_and_shares_in_percent(root: Path) -> None:
    askpro = read("staging", root).site("askpro")
    assert askpro.php_fpm.process_size_bytes == 48 * 2**20
    assert askpro.php_fpm.memory_percent == 20
    assert read("staging", root).server.database.memory_percent == 25


def test_defaults_lie_below_a_site_mapping_by_mapping(root: Path) -> None:
    defaults = "site_defaults:\n  php_fpm: {timeout: 90, slow_log: 5}\n  env: {APP_LOCALE: 'no'}\n"
    write(root, all=ALL + defaults, staging=STAGING + "    php_fpm: {slow_log: 3}\n")
    askpro = read("staging", root).site("askpro")
    assert (askpro.php_fpm.timeout, askpro.php_fpm.slow_log) == (90, 3)
    assert askpro.env == {"APP_LOCALE": "no"}


def test_flags_become_variables(root: Path) -> None:
    write(root, staging=STAGING + "    features: {customer_portal: true, crm: false}\n")
    variables = read("staging", root).site("askpro").feature_variables
    assert variables == {"FEATURE_CUSTOMER_PORTAL": True, "FEATURE_CRM": False}


def test_secrets_are_made_or_given(root: Path) -> None:
    write(
        root, staging=STAGING + "    protect: {basic_auth: [qa]}\n    secrets: [RETELL_API_KEY]\n"
    )
    askpro = read("staging", root).site("askpro")
    assert {"DB_MIGRATOR_PASSWORD", "HTPASSWD_SALT"} < set(askpro.generated_secrets)
    assert askpro.given_secrets == ["BASIC_AUTH_QA", "RETELL_API_KEY"]


def test_drivers_may_be_overridden(root: Path) -> None:
    write(root, staging=STAGING + "    env: {QUEUE_CONNECTION: sync, LOG_LEVEL: debug}\n")
    assert read("staging", root).site("askpro").env["QUEUE_CONNECTION"] == "sync"


def test_two_sites_and_two_environments_share_a_server(root: Path) -> None:
    second = "  blog: {domain: blog.askproai.de, tls: {email: ops@askproai.de}}\n"
    write(root, staging=STAGING + second, production=PRODUCTION)
    assert [site.name for site in read("staging", root).sites] == ["askpro-staging", "blog-staging"]
    assert [site.name for site in read("production", root).sites] == ["askpro-production"]


def test_a_broken_environment_on_another_server_does_not_matter(root: Path) -> None:
    write(root, elsewhere="server: askpro-2\nsites: {x: {domian: y}}\n")
    assert read("staging", root).name == "staging"


def test_paths_are_relative_to_the_repository(root: Path) -> None:
    (root / "ca.pem").write_text("-----BEGIN CERTIFICATE-----\n")
    write(
        root,
        all=ALL + "    ssh_key: keys/ci\nissuers:\n  own: {directory: https://ca.test/d, "
        "ca_bundle: ca.pem}\n",
    )
    staging = read("staging", root)
    assert staging.server.ssh_key == str(root / "keys/ci")
    assert staging.issuers["own"].ca_bundle == str(root / "ca.pem")


UNREADABLE = {
    "a directory": (lambda path: path.mkdir(), "is a directory"),
    "a pipe": (os.mkfifo, "is not a regular file"),
    "a link that leads nowhere": (lambda path: path.symlink_to("gone"), "there is no file"),
    "another encoding": (lambda path: path.write_bytes(b"M\xfcller"), "is not a text file: byte 1"),
}


@pytest.mark.parametrize(("make", "message"), UNREADABLE.values(), ids=UNREADABLE)
@pytest.mark.parametrize(
    "lines",
    [
        "    host: {admins: {anna: [keys/file]}}\n",
        "    apt_sources: {s: {uris: [https://a.test], suites: [x], key: keys/file}}\n",
        "issuers: {a: {ca_bundle: keys/file}}\n",
    ],
    ids=["public key", "apt key", "CA bundle"],
)
def test_a_file_that_cannot_be_read(root: Path, lines: str, make: Any, message: str) -> None:
    (root / "keys").mkdir()
    make(root / "keys/file")
    write(root, all=ALL + lines)
    text = problem(root)
    assert text.startswith("group_data/all.yml:")
    assert f"{root}/keys/file" in text
    assert message in text or ("apt_sources" in text and "is not an armored public key" in text)


@pytest.mark.parametrize(("make", "message"), UNREADABLE.values(), ids=UNREADABLE)
@pytest.mark.parametrize("name", ["all", "staging", "qa"])
def test_a_file_of_settings_that_cannot_be_read(
    root: Path, name: str, make: Any, message: str
) -> None:
    (root / f"group_data/{name}.yml").unlink(missing_ok=True)
    make(root / f"group_data/{name}.yml")
    text, *_ = problems(root)
    assert f"group_data/{name}.yml" in text
    assert message in text or "there is no such file" in text


def test_somebody_s_home_that_there_is_not(root: Path) -> None:
    write(root, all=ALL + "    ssh_key: ~nobody-at-all/key\n")
    assert (
        "servers.askpro-1.ssh_key: '~nobody-at-all/key' does not begin with an existing user's home"
        in problem(root)
    )


def test_an_apt_key_is_a_file_or_the_key_itself(root: Path) -> None:
    key = "-----BEGIN PGP PUBLIC KEY BLOCK-----\nabc\n"
    (root / "sury.asc").write_text(key)
    archives = "".join(
        f"      {name}: {{uris: [https://a.test/], suites: [trixie]{field}}}\n"
        for name, field in (
            ("file", ", key: sury.asc"),
            ("inline", f", key: {json.dumps(key)}"),
            ("debian", ""),
        )
    )
    write(root, all=f"{ALL}    apt_sources:\n{archives}")
    sources = read("staging", root).server.apt_sources
    assert [sources[n].armored_key for n in ("file", "inline", "debian")] == [key, key, None]


def test_an_environment_survives_the_way_through_host_data(root: Path) -> None:
    write(
        root,
        staging=STAGING + "    protect: {admin_allow: [203.0.113.0/24]}\n"
        "    env: {A: 1, B: 1.5, C: true, D: null, E: text}\n",
    )
    staging = read("staging", root)
    data = json.loads(json.dumps(staging.model_dump(mode="json")))

    class HostData:
        environment: dict[str, Any] = data

    assert environment_of(HostData()) == staging


# --- YAML ---


def test_no_such_environment(root: Path) -> None:
    assert problem(root, "stagin") == (
        "group_data/stagin.yml: there is no such file; did you mean 'staging'?"
    )


def test_no_all_yml(root: Path) -> None:
    (root / "group_data/all.yml").unlink()
    assert problem(root).startswith("group_data/all.yml: there is no such file")


def test_a_file_that_nobody_would_read(root: Path) -> None:
    (root / "group_data/qa.yaml").touch()
    assert problem(root) == "group_data/qa.yaml: is ignored: rename it to qa.yml"


def test_no_yaml(root: Path) -> None:
    write(root, staging=STAGING + "  blog: [\n")
    assert problem(root).startswith("group_data/staging.yml:7: this cannot be read: ")


def test_an_alias(root: Path) -> None:
    assert site(root, "env: &a {B: *a}").startswith("group_data/staging.yml:6: this cannot be read")


def test_no_mapping(root: Path) -> None:
    write(root, staging="- a\n")
    assert problem(root).startswith("group_data/staging.yml:1: must hold keys and values")


@pytest.mark.parametrize("text", ["", "sites:\n", "sites: [a]\n", "sites: {a: }\n"])
def test_an_empty_environment(root: Path, text: str) -> None:
    write(root, staging=f"server: askpro-1\n{text}")
    assert problem(root).startswith("group_data/staging.yml:")


def test_an_environment_whose_last_site_was_taken_out(root: Path) -> None:
    write(root, staging="server: askpro-1\nsites: {}\n")
    assert read("staging", root).sites == []


def test_a_database_is_dropped_where_no_site_uses_it(root: Path) -> None:
    gone = "databases: {askproai_staging: {present: false}}\n"
    write(root, staging=f"server: askpro-1\nsites: {{}}\n{gone}")
    assert read("staging", root).dropped_databases == ["askproai_staging"]


@pytest.mark.parametrize(
    ("databases", "said"),
    [
        ("{askpro_staging: {present: false}}", "cannot be dropped: askpro-staging uses it"),
        ("{old: {present: true}}", "must be False"),
        ("{old: }", "must hold keys and values"),
        ("[old]", "must hold keys and values"),
    ],
)
def test_a_database_that_cannot_be_dropped(root: Path, databases: str, said: str) -> None:
    text = "server: askpro-1\nsites:\n  askpro: {domain: a.test, tls: {issuer: selfsigned}}\n"
    write(root, staging=f"{text}databases: {databases}\n")
    assert said in problem(root)


def test_a_key_that_stands_twice(root: Path) -> None:
    assert site(root, "php: '8.2'\nphp: '8.4'") == (
        "group_data/staging.yml:7: sites.askpro.php: is defined twice: see line 6"
    )


def test_a_number_that_yaml_would_cut(root: Path) -> None:
    assert site(root, "env: {APP_VERSION: 1.10}") == (
        "group_data/staging.yml:6: sites.askpro.env.APP_VERSION: "
        '1.10 would be read as 1.1: quote it, "1.10"'
    )


def test_all_problems_come_together_in_the_order_of_lines(root: Path) -> None:
    write(root, all=ALL + "recipents: []\n")
    write(root, staging="server: askpro-2\nsites:\n  askpro:\n    domian: x\n    php: 8.2\n")
    assert [line.split(": ")[0:2] for line in problems(root)] == [
        ["group_data/all.yml:4", "recipents"],
        ["group_data/staging.yml:1", "server"],
        ["group_data/staging.yml:3", "sites.askpro.domain"],
        ["group_data/staging.yml:4", "sites.askpro.domian"],
        ["group_data/staging.yml:5", "sites.askpro.php"],
    ]


# --- Keys ---


@pytest.mark.parametrize(
    ("lines", "key", "message"),
    [
        ("uplaod_limit: 1M", "uplaod_limit", "unknown key; did you mean 'upload_limit'?"),
        ("redis: {memry: 1mb}", "redis.memry", "unknown key; did you mean 'memory'?"),
        ("key: x", "key", "unknown key"),
        ("environment: x", "environment", "unknown key"),
        ("ssh_port: 22", "ssh_port", "set it in group_data/all.yml"),
        ("database: {engine: mysql}", "database.engine", "set it in group_data/all.yml"),
    ],
)
def test_a_key_that_is_not_there(root: Path, lines: str, key: str, message: str) -> None:
    text = site(root, lines)
    assert text.startswith(f"group_data/staging.yml:6: sites.askpro.{key}: ")
    assert message in text


@pytest.mark.parametrize("key", ["ssh_user", "database", "servers", "recipients"])
def test_a_machines_key_in_an_environment(root: Path, key: str) -> None:
    write(root, staging=f"{STAGING}{key}: x\n")
    assert problem(root) == (
        f"group_data/staging.yml:6: {key}: "
        "cannot be set for an environment: set it in group_data/all.yml"
    )


def test_an_unknown_server(root: Path) -> None:
    write(root, staging=STAGING.replace("askpro-1", "askpro1"))
    assert problem(root) == (
        "group_data/staging.yml:1: server: "
        "group_data/all.yml has no server 'askpro1'; did you mean 'askpro-1'?"
    )


def test_a_server_written_into_an_environment(root: Path) -> None:
    write(root, staging=STAGING.replace("server: askpro-1", "server: {address: a}"))
    assert problem(root).startswith("group_data/staging.yml:1: server: must be text, not ")


@pytest.mark.parametrize(
    ("lines", "line", "message"),
    [
        ("    adress: a\n", 4, "servers.askpro-1.adress: unknown key; did you mean 'address'?"),
        ("    name: a\n", 4, "servers.askpro-1.name: unknown key"),
        ("    ssh_port: '22'\n", 4, "servers.askpro-1.ssh_port: must be a valid integer"),
        ("    database: {engine: postgres}\n", 4, "'mariadb' or 'mysql'"),
        ("    database: {memory: 0%}\n", 4, "a share of the machine's memory"),
        ("    apt_sources: {s: {suites: [x]}}\n", 4, "apt_sources.s.uris: is missing"),
        (
            "    apt_sources: {s: {uris: [https://a.test], suites: [x], key: no.asc}}\n",
            4,
            "servers.askpro-1.apt_sources.s.key: there is no file",
        ),
        ("  two: {address: 203.0.113.10}\n", 4, "is already declared as servers.askpro-1"),
        ("issuers: {letsencrypt: {}}\n", 4, "issuers.letsencrypt: is built in"),
        ("issuers: {a: {directory: http://a}}\n", 4, "issuers.a.directory: "),
        ("issuers: {a: {ca_bundle: no.pem}}\n", 4, "issuers.a.ca_bundle: there is no file"),
        ("recipients: [ssh-dss A]\n", 4, "recipients[0]: must be an age recipient"),
        ("site_defaults:\n  tls: {issuer: own}\n", 5, "site_defaults.tls.issuer: unknown issuer"),
        (
            "site_defaults:\n  aliases: x\n",
            5,
            "site_defaults.aliases: must be a list, not the text 'x'",
        ),
        ("site_defaults:\n  wat: 1\n", 5, "site_defaults.wat: unknown key"),
    ],
)
def test_all_yml(root: Path, lines: str, line: int, message: str) -> None:
    write(root, all=ALL + lines)
    text = problem(root)
    assert text.startswith(f"group_data/all.yml:{line}: ")
    assert message in text


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("'203.0.113.10:22'", "contains a port: set ssh_port: 22"),
        ("a.test:2222", "contains a port: set ssh_port: 2222"),
        ("'[2001:db8::1]:22'", "contains a port: set ssh_port: 22"),
        ("0.0.0.0", "is not the address of a machine"),
        ("255.255.255.255", "is not the address of a machine"),
        ("'::ffff:203.0.113.10'", "write 203.0.113.10"),
        ("'fe80::1%eth0'", "is not an address or network"),
        ("'1.2.3'", "must be a host name or an IP address"),
        ("999.1.1.1", "must be a host name or an IP address"),
        ("a..test", "must be a host name or an IP address"),
        ("a.test.", "must be a host name or an IP address"),
        ('"a\\u0000"', "must be a host name or an IP address"),
    ],
)
def test_what_no_machine_is_reached_by(root: Path, address: str, message: str) -> None:
    write(root, all=f"servers:\n  askpro-1:\n    address: {address}\n")
    text = problem(root)
    assert text.startswith("group_data/all.yml:3: servers.askpro-1.address: ")
    assert message in text


@pytest.mark.parametrize("address", ["ops_web-1", "A.test", "203.0.113.7", "'2001:db8::7'"])
def test_what_a_machine_is_reached_by(root: Path, address: str) -> None:
    write(root, all=f"servers:\n  askpro-1:\n    address: {address}\n")
    assert read("staging", root).server.address == address.strip("'")


@pytest.mark.parametrize("port", [80, 443])
def test_sshd_on_a_port_of_nginx(root: Path, port: int) -> None:
    write(root, all=f"{ALL}    ssh_port: {port}\n")
    assert f"ssh_port: {port} is nginx's port: choose another one for sshd" in problem(root)


def test_sshd_on_a_port_that_the_database_server_does_not_have(root: Path) -> None:
    write(root, all=f"{ALL}    ssh_port: 3306\n")
    assert read("staging", root).server.ssh_port == 3306
    assert "is sshd's" in site(root, "reach: [127.0.0.1:3306]")


def test_a_port_that_anybody_can_take_is_not_sshd_s_where_we_set_it(root: Path) -> None:
    port = f"{ALL}    ssh_port: 2222\n"
    write(root, all=port)
    assert read("staging", root).server.ssh_port == 2222
    write(root, all=f"{port}    host: {{admins: {{anna: [keys/file]}}}}\n")
    said = "ssh_port: any user of the machine could take 2222 while sshd restarts"
    assert any(said in line for line in problems(root))


def test_an_apt_key_that_is_not_armored(root: Path) -> None:
    (root / "sury.gpg").write_bytes(b"\x99\x01")
    source = "{uris: [https://a.test], suites: [x], key: sury.gpg}"
    write(root, all=f"{ALL}    apt_sources: {{s: {source}}}\n")
    assert "is not an armored public key" in problem(root)


# --- Values ---


@pytest.mark.parametrize(
    ("lines", "key", "message"),
    [
        ("php: 8.2", "php", 'must be text: quote it, "8.2"'),
        ("php: eight", "php", 'a version like "8.2"'),
        ("php_extensions: [php-gmp]", "php_extensions[0]", "like imagick"),
        ("shared: [/uploads]", "shared[0]", "like wp-content/uploads"),
        ("shared: [a/../..]", "shared[0]", "like wp-content/uploads"),
        ("shared: [storage]", "shared[0]", "choose another name"),
        ("no_php: [includes]", "no_php", "needs entry: php-files"),
        ("entry: php-file", "entry", "php-files"),
        ("health: health", "health", "like /health"),
        ("health: /index.php", "health", "choose another name"),
        ("upload_limit: 9999999G", "upload_limit", "like 700M"),
        ("upload_limit: 700MB", "upload_limit", "like 700M"),
        ("upload_limit: 700", "upload_limit", 'quote it, "700"'),
        ("redis: {memory: 128M}", "redis.memory", "like 128mb"),
        ("redis: {prefix: 'a*'}", "redis.prefix", "made of"),
        ("php_fpm: {memory: 120%}", "php_fpm.memory", 'like "25%"'),
        ("php_fpm: {timeout: 99999999999}", "php_fpm.timeout", "less than or equal to 100000"),
        ("app: {source: a, proven_in: staging}", "app.proven_in", "must be another environment"),
        ("app: {source: a, proven_in: qa}", "app.proven_in", "there is no group_data/qa.yml"),
        ("php_fpm: {slow_log: 61}", "php_fpm.slow_log", "must not be more than timeout, 60"),
        ("php_fpm: {max_children: 0}", "php_fpm.max_children", "must be greater than 0"),
        ("mark_staging: 'yes'", "mark_staging", "must be true or false, not the text 'yes'"),
        ("mark_staging: 1", "mark_staging", "must be true or false, not 1"),
        ("database: {name: mysql}", "database.name", "reserved by the server"),
        ("database: {name: a-b}", "database.name", "at most 64"),
        ("database: {user: root}", "database.user", "reserved by the server"),
        (f"database: {{user: {'u' * 24}}}", "database.user", "at most 23"),
        ("database: {collation: latin1_bin}", "database.collation", "not a collation of utf8mb4"),
        ("database: askpro", "database", "must hold keys and values"),
        ("protect: {admin_allow: [203.0.113.7/24]}", "protect.admin_allow[0]", "203.0.113.0/24?"),
        ("protect: {admin_allow: [office]}", "protect.admin_allow[0]", "not an address or network"),
        ('protect: {admin_allow: ["fe80::1%2"]}', "protect.admin_allow[0]", "not an address"),
        ("protect: {basic_auth: [Q-A]}", "protect.basic_auth[0]", "lower-case letters"),
        (
            "protect: {admin_allow: [0.0.0.0]}",
            "protect.admin_allow[0]",
            "is not the address of a machine",
        ),
        (
            'protect: {admin_allow: ["::ffff:192.0.2.0/120"]}',
            "protect.admin_allow[0]",
            "write 192.0.2.0/24",
        ),
        ("features: {CustomerPortal: true}", "features.CustomerPortal", "customer_portal"),
        ("features: {a: [1]}", "features.a", "must be true or false, not a list"),
        ("features: {a: {b: true}}", "features.a", "must be true or false, not keys and values"),
        ("features: {a: 0}", "features.a", "must be true or false, not 0"),
        ("features: {a: null}", "features.a", "must be true or false, not null"),
        ('features: {a: "no"}', "features.a", "must be true or false, not the text 'no'"),
        (
            "features: {a: no}",
            "features.a",
            'no is text, not false: write false, or quote it, "no"',
        ),
        ("features: {a: Off}", "features.a", "write false"),
        ("env: {APP_DEBUG: no}", "env.APP_DEBUG", "write false"),
        ("env: {LOG_QUERIES: on}", "env.LOG_QUERIES", "write true"),
        ("mark_staging: yes", "mark_staging", "write true"),
        ("env: {APP-NAME: x}", "env.APP-NAME", "is not a variable name"),
        ('env: {A: "x\\ny"}', "env.A", "one line"),
        ('env: {A: "x\\0y"}', "env.A", "one line"),
        ("env: {A: {b: c}}", "env.A", "must be one value"),
        ("reach: [localhost:25]", "reach[0]", "'localhost' is not an address or network"),
        ("reach: [127.0.0.1]", "reach[0]", "an address and a port, like 127.0.0.1:25"),
        ("reach: ['::1:25']", "reach[0]", '"[fd00::5]:5432"'),
        ("reach: [10.0.0.1/24:25]", "reach[0]", "did you mean 10.0.0.0/24?"),
        ("reach: [127.0.0.1:99999]", "reach[0]", "port 99999 must be from 1 to 65535"),
        ("reach: [127.0.0.1:٢٥]", "reach[0]", "an address and a port, like 127.0.0.1:25"),
        ("reach: [0.0.0.0:3306]", "reach[0]", "'0.0.0.0' is not the address of a machine"),
        ("reach: ['[::]:3306']", "reach[0]", "'::' is not the address of a machine"),
        ("reach: ['[::ffff:127.0.0.1]:3306']", "reach[0]", "which no packet has: write 127.0.0.1"),
        ("reach: [224.0.0.1:25]", "reach[0]", "is not the address of a machine"),
        ("reach: ['[ff02::1]:25']", "reach[0]", "is not the address of a machine"),
        ("reach: [255.255.255.255:25]", "reach[0]", "is not the address of a machine"),
        ("reach: [127.0.0.1:25/sctp]", "reach[0]", "'sctp' must be tcp or udp"),
        ("reach: [127.0.0.1:22]", "reach[0]", "is sshd's"),
        ("reach: [203.0.113.10:22]", "reach[0]", "is sshd's"),
        ("reach: [203.0.113.0/24:22]", "reach[0]", "is sshd's"),
        ("reach: ['127.0.0.1:25', '[::/0]:3306']", "reach[1]", "use its socket"),
        ("secrets: [api_key]", "secrets[0]", "upper-case letters"),
        ("secrets: [APP_KEY]", "secrets[0]", "is reserved"),
        ("secrets: [A, A]", "secrets[1]", "is already in the list of secrets"),
        ("secrets: [A]\nenv: {A: x}", "env.A", "is also listed under secrets"),
        ("features: {a: true}\nenv: {FEATURE_A: 2}", "env.FEATURE_A", "is set twice"),
        ("aliases: [staging.askproai.de]", "aliases[0]", "is taken by group_data/staging.yml:4"),
    ],
)
def test_a_value_that_is_wrong(root: Path, lines: str, key: str, message: str) -> None:
    text = site(root, lines)
    assert text.startswith("group_data/staging.yml:")
    assert f": sites.askpro.{key}: " in text
    assert message in text


@pytest.mark.parametrize(
    ("variable", "source"),
    [
        ("APP_ENV", "the name of this file"),
        ("APP_URL", "`domain`"),
        ("APP_KEY", "stagecraft secret"),
        ("DB_HOST", "`database`"),
        ("DATABASE_URL", "`database`"),
        ("REDIS_PREFIX", "`redis`"),
        ("CACHE_PREFIX", "`redis.prefix`"),
        ("HORIZON_PREFIX", "`redis.prefix`"),
        ("SESSION_COOKIE", "the site's and the environment's name"),
    ],
)
def test_a_variable_that_keeps_environments_apart(root: Path, variable: str, source: str) -> None:
    text = site(root, f"env: {{{variable}: x}}")
    assert text.startswith(f"group_data/staging.yml:6: sites.askpro.env.{variable}: is derived")
    assert source in text


@pytest.mark.parametrize(
    ("domain", "advice"),
    [
        ("https://a.askproai.de", "omit the scheme"),
        ("a.askproai.de/portal", "omit the path"),
        ("a.askproai.de:8443", "omit the port"),
        ("*.askproai.de", "wildcards need a DNS challenge"),
        ("a_b.askproai.de", "cannot contain an underscore"),
        ("A.askproai.de", "lower case, a.askproai.de"),
        ("münchen.askproai.de", "punycode, xn--mnchen-3ya.askproai.de"),
        ("straße.askproai.de", "ask your registrar"),
        ("xn--a-\u007f.de", "between dots"),
        ("xn--99999999.de", "not valid punycode"),
        ("a.askproai.de.", "dot at the end"),
        ("askproai", "needs a dot"),
        ("203.0.113.10", "addresses cannot have a certificate"),
        ("-a.askproai.de", "between dots"),
        ("a..de", "between dots"),
        (f"{'a' * 64}.de", "between dots"),
        (".".join(["a" * 60] * 5), "longer than 253"),
    ],
)
def test_a_domain_that_is_none(root: Path, domain: str, advice: str) -> None:
    write(root, staging=STAGING.replace("staging.askproai.de", json.dumps(domain)))
    text = problem(root)
    assert text.startswith("group_data/staging.yml:4: sites.askpro.domain: ")
    assert "is not a domain name" in text
    assert advice in text


def test_punycode_is_a_domain(root: Path) -> None:
    write(root, staging=STAGING.replace("staging.", "xn--mnchen-3ya."))
    assert read("staging", root).site("askpro").domain == "xn--mnchen-3ya.askproai.de"


# --- Contradictions ---


@pytest.mark.parametrize("debug", ["true", '"true"', "1", '"yes"'])
def test_debug_in_public_needs_protection(root: Path, debug: str) -> None:
    text = site(root, f"env:\n  APP_DEBUG: {debug}")
    assert text.startswith("group_data/staging.yml:7: sites.askpro.env.APP_DEBUG: ")
    assert "protect.basic_auth or protect.admin_allow" in text


@pytest.mark.parametrize("debug", ["false", '"false"', "0", "null"])
def test_no_debug_needs_no_protection(root: Path, debug: str) -> None:
    write(root, staging=f"{STAGING}    env: {{APP_DEBUG: {debug}}}\n")
    assert read("staging", root)


@pytest.mark.parametrize("protect", ["basic_auth: [qa]", "admin_allow: [203.0.113.7]"])
def test_protection_allows_debug(root: Path, protect: str) -> None:
    lines = f"    protect: {{{protect}}}\n    env: {{APP_DEBUG: true}}\n"
    write(root, staging=STAGING + lines)
    assert read("staging", root)


@pytest.mark.parametrize("domain", ["askpro.test", "a.home.arpa", "a.internal", "a.localhost"])
def test_debug_in_private_needs_no_protection(root: Path, domain: str) -> None:
    private = f"tls: {{issuer: selfsigned}}\n    domain: {domain}\n    env: {{APP_DEBUG: true}}\n"
    write(root, staging=f"server: askpro-1\nsites:\n  askpro:\n    {private}")
    assert read("staging", root)


def test_lets_encrypt_wants_an_address(root: Path) -> None:
    write(root, staging=STAGING.replace("email: ops@askproai.de", ""))
    assert problem(root).startswith("group_data/staging.yml:5: sites.askpro.tls.email: ")


def test_lets_encrypt_signs_no_reserved_name(root: Path) -> None:
    write(root, staging=STAGING.replace("askproai.de\n", "askpro.test\n    aliases: [a.test]\n"))
    assert [text.split(": ")[1] for text in problems(root)] == [
        "sites.askpro.domain",
        "sites.askpro.aliases[0]",
    ]


def test_an_unknown_issuer(root: Path) -> None:
    write(root, staging=STAGING.replace("{email: ops@askproai.de}", "{issuer: letsencript}"))
    assert problem(root) == (
        "group_data/staging.yml:5: sites.askpro.tls.issuer: "
        "unknown issuer 'letsencript'; did you mean 'letsencrypt'?"
    )


def test_a_site_key_that_is_no_name(root: Path) -> None:
    write(root, staging=STAGING.replace("askpro:", "Ask_Pro:"))
    assert problem(root).startswith("group_data/staging.yml:3: sites.Ask_Pro: 'Ask_Pro' must be")


def test_a_name_that_is_ours_on_a_server(root: Path) -> None:
    """stagecraft-catch-all.conf is nginx's answer to unknown names."""
    write(root, staging=STAGING.replace("askpro:", "stagecraft:"))
    assert problem(root) == (
        "group_data/staging.yml:3: sites.stagecraft: stagecraft-staging is reserved for"
        " Stagecraft's own files and units: choose another name"
    )


def test_a_name_too_long_for_a_unix_user(root: Path) -> None:
    short_names = "    database: {name: a, user: a}\n"
    write(root, staging=STAGING.replace("askpro:", f"{'a' * 19}:") + short_names)
    assert f"redis-{'a' * 19}-staging has 33 characters, at most 32 fit" in (problem(root))


# --- Collisions ---


@pytest.mark.parametrize(
    ("staging", "production", "kind", "other"),
    [
        ("aliases: [api.askproai.de]", "", "domain api.askproai.de", "4 (sites.askpro.domain)"),
        ("aliases: [x.askproai.de]", "aliases: [x.askproai.de]", "domain x", "6 (sites.askpro.ali"),
        ("database: {name: one}", "database: {name: ONE}", "database one", "6 (sites.askpro.data"),
        (
            "database: {user: app}",
            "database: {user: app}",
            "database user app is",
            "6 (sites.askpro.database.user)",
        ),
        (
            "database: {user: app_migrator}",
            "database: {user: app}",
            "database user app_migrator",
            "6 (sites.askpro.database.user)",
        ),
        ("redis: {prefix: a_}", "redis: {prefix: a_}", "prefixes a_ and a_", "6 (sites.askpro"),
        (
            "redis: {prefix: a_b_}",
            "redis: {prefix: a_}",
            "prefixes a_b_ and a_",
            "6 (sites.askpro.r",
        ),
        (
            "redis: {prefix: a_}",
            "redis: {prefix: a_b_}",
            "prefixes a_ and a_b_",
            "6 (sites.askpro.r",
        ),
    ],
)
def test_two_environments_that_claim_the_same(
    root: Path, staging: str, production: str, kind: str, other: str
) -> None:
    write(
        root,
        staging=f"{STAGING}    {staging}\n",
        production=PRODUCTION + (f"    {production}\n" if production else ""),
    )
    text = problem(root)
    assert text == problem(root, "production")
    assert text.startswith("group_data/staging.yml:6: sites.askpro.")
    assert kind in text
    assert f"group_data/production.yml:{other}" in text


def test_two_sites_of_one_environment_that_claim_the_same(root: Path) -> None:
    blog = "  blog:\n    domain: staging.askproai.de\n    tls: {email: ops@askproai.de}\n"
    write(root, staging=STAGING + blog)
    assert problem(root) == (
        "group_data/staging.yml:7: sites.blog.domain: the domain staging.askproai.de is taken by "
        "group_data/staging.yml:4 (sites.askpro.domain)"
    )


def test_two_sites_of_one_name(root: Path) -> None:
    first = STAGING.replace("askpro:", "a:").replace("staging.", "a.")
    second = STAGING.replace("askpro:", "a-b:").replace("staging.", "b.")
    (root / "group_data/staging.yml").unlink()
    write(root, **{"b-c": first, "c": second})
    assert any("the name a-b-c is taken by group_data/b-c.yml:3" in p for p in problems(root, "c"))


def test_a_site_named_like_another_s_redis(root: Path) -> None:
    """Both would be one Unix user."""
    second = "  redis-askpro:\n    domain: b.askproai.de\n    tls: {email: ops@askproai.de}\n"
    write(root, staging=STAGING + second)
    assert problem(root) == (
        "group_data/staging.yml:6: sites.redis-askpro: the name redis-askpro-staging is taken by "
        "group_data/staging.yml:3 (sites.askpro)"
    )


def test_more_memory_than_there_is(root: Path) -> None:
    write(
        root,
        staging=STAGING + "    php_fpm: {memory: 36%}\n",
        production=PRODUCTION + "    php_fpm: {memory: 40%}\n",
    )
    text = problem(root)
    assert text.startswith("group_data/all.yml:2: servers.askpro-1: the shares of askpro-1's")
    assert "add up to 101 %" in text
    assert "askpro-staging's php_fpm 36 %" in text


def test_sites_that_share_nothing_but_the_server(root: Path) -> None:
    write(root, production=PRODUCTION)
    assert isinstance(read("staging", root), Environment)


def test_neighbours_are_unharmed_by_the_same_names_elsewhere(root: Path) -> None:
    write(root, all=ALL + "  askpro-2: {address: 203.0.113.11}\n")
    write(root, copy=STAGING.replace("askpro-1", "askpro-2"))
    assert read("staging", root)


# --- CI ---

CI_KEY = (
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB staging@ci"
)
OTHER_KEY = CI_KEY.replace("AAAB staging", "AAAC production")
ADMIN_KEY = CI_KEY.replace("AAAB staging@ci", "AAAD anna")
HOST = f"    host: {{admins: {{anna: [{ADMIN_KEY}]}}}}\n"


def test_a_server_admits_the_ci_of_all_its_environments(root: Path) -> None:
    write(root, all=ALL + HOST, staging=f"ci: [{CI_KEY}]\n{STAGING}")
    write(root, production=f"ci: [{OTHER_KEY}]\n{PRODUCTION}", elsewhere="server: x\nsites: {}")
    for name in ("staging", "production"):
        host = read(name, root).server.host
        assert host
        assert host.logins == ["anna", "ci_production", "ci_staging", "deploy"]
        assert host.keys("ci_staging") == [
            'restrict,command="/usr/bin/sudo -n /usr/bin/systemd-run --quiet --scope --slice'
            f' stagecraft-ci_staging.slice /usr/local/sbin/stagecraft ci staging" {CI_KEY}'
        ]
        assert host.accounts == ["anna", "deploy"]
        assert CI_KEY not in host.keys("deploy")


@pytest.mark.parametrize(
    ("ci", "said"),
    [
        (f"[{ADMIN_KEY}]", "group_data/staging.yml:1: ci[0]: is also a key of anna"),
        (f"[{OTHER_KEY}]", "group_data/staging.yml:1: ci[0]: is also a key of ci_production"),
        ("[keys/none.pub]", "group_data/staging.yml:1: ci[0]: there is no file"),
        ("[ssh-dss AAAA x]", "group_data/staging.yml:1: ci[0]: 'ssh-dss' is not an accepted type"),
        ("x", "group_data/staging.yml:1: ci: must be a list"),
    ],
)
def test_a_key_of_ci_that_is_wrong(root: Path, ci: str, said: str) -> None:
    write(root, all=ALL + HOST, staging=f"ci: {ci}\n{STAGING}")
    write(root, production=f"ci: [{OTHER_KEY}]\n{PRODUCTION}")
    assert any(text.startswith(said) for text in problems(root)), problems(root)


def test_ci_needs_a_machine_whose_logins_are_managed(root: Path) -> None:
    write(root, staging=f"ci: [{CI_KEY}]\n{STAGING}")
    assert "ci: needs `host:` of askpro-1" in problem(root)


def test_a_name_too_long_for_an_account_of_ci(root: Path) -> None:
    name = "a-name-that-is-longer-than-it-may"
    site = "server: askpro-1\nsites: {}\n"
    write(root, all=ALL + HOST, **{name: f"ci: [{CI_KEY}]\n{site}"})
    assert f"Unix user ci_{name} has 36 characters" in problem(root, name)


def test_what_all_yml_cannot_say_of_ci(root: Path) -> None:
    host = HOST.replace("}}", f"}}, ci: {{staging: [{CI_KEY}]}}}}")
    write(root, all=ALL + host)
    assert "host.ci: is set in group_data/<environment>.yml" in problem(root)
    write(root, all=ALL + HOST.replace("anna:", "ci_staging:"))
    assert "host.admins.ci_staging: is reserved" in problem(root)
