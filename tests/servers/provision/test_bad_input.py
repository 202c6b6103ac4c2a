"""Bad input ends with one clear message and exit code 1, and nothing is touched."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from project import Project
from provisioned import STATE, Provisioned, machine, staging

from lab.lab import Lab
from lab.server import LabServer
from stagecraft.secrets import secrets_for


def fingerprint(server: LabServer) -> str:
    """All files below /etc and /var/www with their change times."""
    return server.ssh("find /etc /var/www -printf '%p %C@\\n' 2>/dev/null | sort | md5sum").stdout


@pytest.fixture(scope="module")
def bare(lab: Lab) -> LabServer:
    return lab.boot("bare", "bookworm")


@pytest.fixture
def project(bare: LabServer, lab: Lab, tmp_path: Path) -> Project:
    project = Project(tmp_path / "project")
    project.write(all=machine(bare, lab), staging=staging(bare, "selfsigned"))
    return project


def edit(project: Project, name: str, old: str, new: str) -> None:
    path = project.directory / f"group_data/{name}.yml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (
            "upload_limit:",
            "uplod_limit:",
            ["group_data/staging.yml:", "did you mean 'upload_limit'"],
        ),
        ("domain: shop.test", "domain: shop_test", ["group_data/staging.yml:", "shop_test"]),
        ("domain: shop.test", "domain: shop.test\n    php: '5.6'", ["PHP 5.6", "apt_sources"]),
        (
            "domain: shop.test",
            "domain: shop.test\n    redis: {prefix: askpro_}",
            ["group_data/staging.yml:", "askpro_staging_"],
        ),
        ("domain: shop.test", "domain: staging.askpro.test", ["group_data/staging.yml:"]),
        (
            "domain: shop.test",
            "domain: shop.test\n    php_fpm: {process_size: 64G}",
            ["group_data/staging.yml: sites: shop: php_fpm: process_size: 64G", "at most"],
        ),
        (
            "domain: shop.test",
            "domain: shop.test\n    php_extensions: [nonsense]",
            ["Unable to locate package php8.2-nonsense", "Nothing was changed"],
        ),
    ],
)
def test_a_wrong_setting_is_refused_by_name_before_anything_changes(
    project: Project, bare: LabServer, old: str, new: str, words: list[str]
) -> None:
    edit(project, "staging", old, new)
    before = fingerprint(bare)
    run = project.pyinfra("staging", "-y")
    assert run.code == 1
    for word in words:
        assert word in run.output
    assert "Traceback" not in run.output
    assert fingerprint(bare) == before


def test_a_missing_secret_is_named_with_the_command_that_makes_it(project: Project) -> None:
    """By the verb that needs it."""
    edit(project, "all", "throwaway: true", "throwaway: false")
    assert hostname(project, "staging") == "bare"
    run = project.pyinfra("staging", "-y")
    assert run.code == 1
    assert "secrets/staging.yml" in run.output
    assert "stagecraft secret staging" in run.output


def hostname(project: Project, inventory: str, *login: str) -> str:
    """As pyinfra's own commands give it."""
    asked = project.pyinfra(inventory, *login, "--json", verb="fact server.Hostname")
    assert asked.code == 0, asked.output
    (name,) = json.loads(asked.stdout)["server.Hostname"].values()
    run = project.pyinfra(inventory, *login, verb="exec -- hostname")
    assert (run.code, f"] {name}\n" in run.output) == (0, True), run.output
    return name


def test_stock_commands_need_no_inventory(project: Project, bare: LabServer, lab: Lab) -> None:
    pins = f"ssh_known_hosts_file={project.directory}/pins"
    login = ("--user", "root", "--key", str(lab.directory / "key"), "--data", pins)
    assert hostname(project, bare.address, *login) == "bare"
    run = project.pyinfra(bare.address, *login)
    assert run.code == 1
    assert f"deploy.py needs an inventory of an environment, which {bare.address} is" in run.output
    assert "Traceback" not in run.output


def test_an_inventory_that_does_not_exist_is_an_error(project: Project) -> None:
    run = project.pyinfra("stagign", "-y")
    assert run.code == 1
    assert "there is no inventory inventories/stagign.py" in run.output
    assert "inventories/staging.py" in run.output


def test_an_unreachable_server_is_an_error(project: Project, bare: LabServer) -> None:
    edit(project, "all", f"address: {bare.name}", "address: 198.18.0.254")
    run = project.pyinfra("staging", "-y")
    assert run.code == 1
    assert bare.name in run.output


def test_not_enough_rights_is_an_error(bookworm: Provisioned, lab: Lab) -> None:
    """An account that exists and may log in, and has no sudo."""
    bookworm.ssh(
        "id plain 2>/dev/null || useradd --create-home plain;"
        " cp -r /home/debian/.ssh /home/plain/ && chown -R plain: /home/plain/.ssh"
    )
    project = Project(STATE / "projects/plain")
    data = machine(bookworm.server, lab)
    data["servers"]["bookworm"]["ssh_user"] = "plain"
    project.write(all=data, staging=staging(bookworm.server, "selfsigned"))
    run = project.pyinfra("staging", "-y")
    assert run.code == 1
    assert "root" in run.output and "sudo" in run.output
    assert "Traceback" not in run.output


def test_a_database_that_others_made_is_not_taken_over(trixie: Provisioned, lab: Lab) -> None:
    """Production built by hand, for instance: refused by name, and by its name alone."""
    project = Project(STATE / "projects/takeover")
    environment = staging(trixie.server, "selfsigned")
    environment["sites"] = {"other": {"domain": "other.test", "tls": {"issuer": "selfsigned"}}}
    project.write(all=machine(trixie.server, lab), qa=environment)
    trixie.ssh("mariadb", input="CREATE DATABASE other_qa")
    try:
        run = project.pyinfra("qa", "-y")
        assert run.code == 1
        assert "the database other_qa already exists" in run.output
        assert "Traceback" not in run.output
        assert not trixie.succeeds("id other-qa")
    finally:
        trixie.ssh("mariadb", input="DROP DATABASE other_qa")


@pytest.mark.parametrize("server", ["trixie", "mysql"])
def test_a_collation_that_the_engine_does_not_have(
    request: pytest.FixtureRequest, lab: Lab, server: str
) -> None:
    host: Provisioned = request.getfixturevalue(server)
    settings = "sha256sum /var/www/askpro-staging/shared/.env"
    before = host.ssh(settings)
    site = {"database": {"collation": "utf8mb4_nonsense_ci"}}
    with host.project.edited("staging", {"sites": {"askpro": site}}):
        runs = [host.project.pyinfra("staging", option) for option in ("--dry", "-y")]
    for run in runs:
        assert run.code == 1
        assert "has no utf8mb4_nonsense_ci for the charset utf8mb4; nothing was" in run.output
        assert "Traceback" not in run.output
    assert host.ssh(settings) == before


def test_the_diff_of_a_bare_server_shows_every_file_and_no_secret(
    project: Project, bare: LabServer
) -> None:
    before = fingerprint(bare)
    run = project.pyinfra("staging", "--dry", "--diff")
    assert run.code == 0, run.output
    for path in (
        "/etc/nginx/sites-available/askpro-staging.conf (root:root 644)",
        "/etc/redis/redis-askpro-staging.conf (root:askpro-staging 640)",
        "/etc/systemd/system/php-fpm@shop-staging.service (root:root 644)",
        "/var/www/shop-staging/shared/.env (root:shop-staging 640)",
        "/etc/mysql/mariadb.conf.d/90-stagecraft.cnf (root:root 644)",
    ):
        assert f"create {path}" in run.output
    assert "+    server_name staging.askpro.test www.staging.askpro.test;" in run.output
    assert "+DB_PASSWORD (secret)" in run.output
    for secrets in secrets_for("staging", project.directory).values():
        assert not any(secret.reveal() in run.output for secret in secrets.values())
    assert fingerprint(bare) == before
