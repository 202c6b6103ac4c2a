"""Staging beside a production that others built: it serves on, unchanged, or the run is refused."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from project import Project, Run
from provisioned import Provisioned, bound, machine, quote, staging
from web import Web

from lab.lab import Lab
from stagecraft.operations.packages import INSTALL_PACKAGES

PRODUCTION = "https://www.askpro.test/calls"
ANSWER = "from the database, from the cache\n"
NAME = "askpro-staging"
HOME = f"/var/www/{NAME}"

LACKING = ("php8.4-mbstring", "php8.4-xml", "php8.4-intl", "php8.4-gd")
"""Extensions that production does without: dpkg has their installation restart its PHP."""


@pytest.fixture(scope="module")
def by_hand(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Provisioned:
    """Debian 13 with the production of by_hand.sh, and a project that declares staging there."""
    server = lab.boot("beside")
    server.ssh("sh -s", input=Path(__file__).with_name("by_hand.sh").read_text(), timeout=300)
    server.harvest()
    project = Project(tmp_path_factory.mktemp("beside") / "project")
    environment = staging(server, "selfsigned")
    del environment["sites"]["shop"]
    project.write(all=machine(server, lab), staging=environment)
    return Provisioned(server, project, ["staging"])


# --- A clash is refused by name before anything changes ---


def fingerprint(host: Provisioned) -> str:
    """All files that a run could write, with their change times, and all services that run."""
    return host.ssh(
        "find /etc /var/www /var/lib/dpkg /var/lib/redis* /run/systemd/system -printf '%p %C@\\n'"
        " 2>/dev/null | sort | sha256sum;"
        " for unit in $(systemctl list-units --plain --no-legend --type=service --state=running |"
        " cut -d ' ' -f 1); do systemctl show -p Id,MainPID $unit; done;"
        " mariadb -BNe 'SHOW DATABASES; SELECT User, Host FROM mysql.user'"
    )


def refused(host: Provisioned) -> str:
    """What a run says that changes nothing, as its plan must do, too."""
    before = fingerprint(host)
    runs = [host.project.pyinfra("staging", option) for option in ("--dry", "-y")]
    for run in runs:
        assert run.code == 1, run.output
        assert "nothing was changed" in run.output.lower()
        assert "Traceback" not in run.output
    assert fingerprint(host) == before
    return runs[0].output


CLASHES = {
    f"the user {NAME} has the home /srv/{NAME}, not {HOME}": (
        f"useradd --home-dir /srv/{NAME} --no-create-home {NAME}",
        f"userdel {NAME}",
    ),
    f"{HOME} is a directory of www-data:www-data": (
        f"install -d -o www-data -g www-data {HOME}",
        f"rmdir {HOME}",
    ),
    "/etc/nginx/sites-enabled/staging serves staging.askpro.test": (
        "printf 'server {\\n listen 80;\\n server_name x.test\\n  staging.askpro.test;\\n}\\n'"
        " > /etc/nginx/sites-available/staging;"
        " ln -s ../sites-available/staging /etc/nginx/sites-enabled/staging",
        "rm /etc/nginx/sites-*/staging",
    ),
    f"/etc/nginx/sites-available/{NAME}.conf already exists": (
        f"touch /etc/nginx/sites-available/{NAME}.conf",
        f"rm /etc/nginx/sites-available/{NAME}.conf",
    ),
    f"certbot renews a certificate {NAME} that is not ours": (
        "mkdir -p /etc/letsencrypt/renewal; printf '[renewalparams]\\nwebroot_path ="
        f" /var/www/html,\\n' > /etc/letsencrypt/renewal/{NAME}.conf",
        f"rm /etc/letsencrypt/renewal/{NAME}.conf",
    ),
    f"/etc/redis/redis-{NAME}.conf already exists": (
        f"echo 'port 6380' > /etc/redis/redis-{NAME}.conf",
        f"rm /etc/redis/redis-{NAME}.conf",
    ),
    f"/etc/systemd/system/php-fpm@{NAME}.service already exists": (
        f"touch /etc/systemd/system/php-fpm@{NAME}.service",
        f"rm /etc/systemd/system/php-fpm@{NAME}.service",
    ),
    "the database askproai_staging and the account askproai_staging_migrator already exist": (
        "mariadb -e 'CREATE DATABASE askproai_staging;"
        " CREATE USER askproai_staging_migrator@localhost'",
        "mariadb -e 'DROP DATABASE askproai_staging;"
        " DROP USER askproai_staging_migrator@localhost'",
    ),
}
"""What a run must name, and the commands that make it and remove it again."""


def test_all_that_bears_a_site_s_name_is_named_at_once(by_hand: Provisioned) -> None:
    try:
        for make, _ in CLASHES.values():
            by_hand.ssh(make)
        output = refused(by_hand)
    finally:
        for _, remove in CLASHES.values():
            by_hand.ssh(remove)
    for clash in CLASHES:
        assert clash in output


def test_a_group_with_others_in_it_is_named(by_hand: Provisioned) -> None:
    by_hand.ssh(f"groupadd --system {NAME}")
    by_hand.ssh(f"usermod -aG {NAME} backup; usermod -aG {NAME} www-data")
    try:
        assert f"the group {NAME} has the members backup, www-data" in refused(by_hand)
    finally:
        by_hand.ssh(f"groupdel {NAME}")


def test_who_has_nginx_s_ports_is_named(by_hand: Provisioned) -> None:
    hold = "@held = map { IO::Socket::INET->new(LocalPort => $_, Listen => 1) } 80, 443; sleep 60"
    by_hand.ssh("systemctl stop nginx")
    by_hand.ssh(f"systemd-run -q --unit=caddy perl -MIO::Socket::INET -e {quote(hold)}")
    by_hand.ssh(bound(443))
    try:
        output = refused(by_hand)
    finally:
        by_hand.ssh("systemctl stop caddy; systemctl start nginx")
    for port in (80, 443):
        assert f"port {port} is used by perl (process" in output
    assert "of caddy.service)" in output


def test_a_server_of_the_other_engine_is_named(by_hand: Provisioned) -> None:
    machine = {"database": {"engine": "mysql"}}
    with by_hand.project.edited("all", {"servers": {by_hand.server.name: machine}}):
        output = refused(by_hand)
    assert "mariadb-server and mariadb-server-core would be removed for mysql-server" in output
    assert "/run/mysqld/mysqld.sock is used by mariadbd (process" in output


NEWER_PHP = Path(__file__).with_name("newer_php.sh").read_text()

UPGRADES = [f"php8.4-{name}" for name in ("cli", "common", "fpm", "mysql", "opcache", "readline")]
"""What production has of PHP, all of which its archives bind to one version."""


@pytest.fixture(scope="class")
def newer_php(by_hand: Provisioned) -> Iterator[None]:
    by_hand.ssh("sh -s", input=NEWER_PHP)
    yield
    by_hand.ssh("rm -r /srv/newer /etc/apt/sources.list.d/newer.list /var/lib/apt/lists/*newer*")


@pytest.mark.usefixtures("newer_php")
class TestUpgrades:
    def test_no_package_of_production_is_upgraded_unasked(self, by_hand: Provisioned) -> None:
        output = refused(by_hand)
        for package in UPGRADES:
            installed = by_hand.ssh(f"dpkg-query -W -f='${{Version}}' {package}")
            assert f"{package} {installed} → 99" in output
        assert "/etc/nginx/sites-enabled/www.askpro.test and mariadb may use" in output
        assert "--data upgrade=true" in output

    def test_the_plan_of_an_upgrade_that_is_asked_for_names_it(self, by_hand: Provisioned) -> None:
        run = by_hand.project.pyinfra("staging", "--dry", "--data", "upgrade=true")
        assert run.code == 0, run.output
        _, _, upgrades = run.output.partition("Packages to upgrade:")
        for package in UPGRADES:
            assert f"{package} " in upgrades
            assert "→ 99" in upgrades

    def test_a_newer_version_that_only_the_run_sees_is_refused_by_the_run(
        self, by_hand: Provisioned
    ) -> None:
        """The run fetches lists that the plan could not know."""
        before = by_hand.ssh("dpkg-query -W | sha256sum")
        said = by_hand.ssh(
            "sh -s /tmp/manifest '' keep php8.4-mbstring 2>&1 || echo refused",
            input=INSTALL_PACKAGES,
        )
        assert said.endswith("refused")
        for package in UPGRADES:
            assert f"{package} " in said
        assert by_hand.ssh("dpkg-query -W | sha256sum") == before


def test_a_package_that_no_archive_has_is_refused_by_the_plan(by_hand: Provisioned) -> None:
    site = {"php_extensions": ["nonsense"]}
    with by_hand.project.edited("staging", {"sites": {"askpro": site}}):
        output = refused(by_hand)
    assert "Unable to locate package php8.4-nonsense" in output


# --- Nothing of production changes, and it serves on ---


@dataclass
class Load:
    """Requests to production, each on a new connection, until `stop`."""

    web: Web
    served: int = 0
    failures: list[str] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)
    threads: list[threading.Thread] = field(default_factory=list)

    def start(self) -> None:
        self.threads = [threading.Thread(target=self.ask) for _ in range(4)]
        for thread in self.threads:
            thread.start()

    def ask(self) -> None:
        deadline = time.monotonic() + 180
        while not self.over.wait(0.02) and time.monotonic() < deadline:
            try:
                response = self.web.get(PRODUCTION)
                if (response.status, response.text) != (200, ANSWER):
                    self.failures.append(f"{response.status} {response.text}")
            except Exception as error:
                self.failures.append(repr(error))
            self.served += 1

    def stop(self) -> None:
        self.over.set()
        for thread in self.threads:
            thread.join()


def files(host: Provisioned) -> str:
    """Production's files and what configures its services, with times and sums."""
    return host.ssh(
        "find /etc/mysql /etc/redis/redis.conf /etc/php/8.4/fpm/pool.d /etc/php/8.4/fpm/php*"
        " /etc/nginx/nginx.conf /etc/nginx/sites-*/default /etc/nginx/sites-*/www.askpro.test"
        " /etc/letsencrypt /etc/cron.d/askpro /var/www/api-gateway"
        " -printf '%p %m %u %g %s %T@ %C@ %l ' \\( -type f -exec sha256sum {} \\; -o -print \\)"
    )


def data(host: Provisioned) -> str:
    """Production's rows, the rights in the database server and its settings, and Redis' keys."""
    return host.ssh(
        "mariadb -BN -e 'CHECKSUM TABLE askproai_db.calls; SHOW GLOBAL VARIABLES;"
        ' SELECT * FROM mysql.global_priv WHERE User NOT LIKE "askproai_staging%";'
        ' SELECT * FROM mysql.db WHERE User NOT LIKE "askproai_staging%"\' | grep -v ^gtid;'
        " redis-cli CONFIG GET '*'; redis-cli --scan; redis-cli GET askpro_cache_greeting"
    )


def services(host: Provisioned) -> str:
    """The main process of each with its start; a reload is a change of state, which nginx may."""
    show = "systemctl show -p Id,MainPID,ExecMainStartTimestampMonotonic,UnitFileState"
    return host.ssh(
        f"{show} nginx; {show},StateChangeTimestampMonotonic php8.4-fpm mariadb redis-server cron"
    )


def unknown_names(host: Provisioned) -> list[tuple[int, bytes]]:
    answers = [host.web.get(f"{scheme}://nobody.test/") for scheme in ("http", "https")]
    return [(answer.status, answer.body) for answer in answers]


@dataclass
class Beside:
    """Staging's three runs, and production before and after them."""

    plan: Run
    apply: Run
    second_plan: Run
    load: Load
    before: dict[str, object]
    after: dict[str, object]


@pytest.fixture(scope="module")
def beside(by_hand: Provisioned) -> Iterator[Beside]:
    def production() -> dict[str, object]:
        return {look.__name__: look(by_hand) for look in (files, data, services, unknown_names)}

    before = production()
    load = Load(by_hand.web)
    load.start()
    try:
        runs = [by_hand.project.pyinfra("staging", *options.split()) for options in (
            "--dry --json", "-y --json", "--dry --json",
        )]  # fmt: skip
    finally:
        load.stop()
    by_hand.server.harvest()
    for run in runs:
        assert run.code == 0, run.output
    yield Beside(*runs, load, before, production())


def test_production_lacks_what_its_php_would_be_restarted_for(by_hand: Provisioned) -> None:
    for package in LACKING:
        assert not by_hand.succeeds(f"dpkg-query --show {package}")
    assert by_hand.ssh("systemctl is-active php8.4-fpm") == "active"
    assert by_hand.web.get(PRODUCTION).text == ANSWER


def test_production_answers_every_request_meanwhile(by_hand: Provisioned, beside: Beside) -> None:
    assert beside.load.failures == []
    assert beside.load.served > 300
    assert by_hand.succeeds("grep -q 'trigproc php8.4-fpm' /var/log/dpkg.log")
    assert by_hand.succeeds(f"dpkg-query --show {' '.join(LACKING)}")


@pytest.mark.parametrize("what", ["files", "data", "services", "unknown_names"])
def test_nothing_of_production_changes(beside: Beside, what: str) -> None:
    assert beside.after[what] == beside.before[what]


def test_staging_serves(by_hand: Provisioned, beside: Beside) -> None:
    assert by_hand.web.get("https://staging.askpro.test/health").status == 200
    assert by_hand.ssh("systemctl --failed --no-legend --plain") == ""


def test_the_plan_names_each_package_that_comes(by_hand: Provisioned, beside: Beside) -> None:
    _, _, listed = beside.plan.stderr.partition("Packages to install:")
    for package in (*LACKING, "libonig5"):
        version = by_hand.ssh(f"dpkg-query -W -f='${{Version}}' {package}")
        assert f"{package} {version}" in listed


def test_the_plan_is_what_the_run_does_and_then_empty(beside: Beside) -> None:
    assert beside.plan.planned == beside.apply.changed
    assert beside.second_plan.planned == []


def test_the_database_server_stays_as_others_configured_it(beside: Beside) -> None:
    assert not [name for name in beside.plan.planned if name.startswith("Database server")]
    assert "mariadb listens on 0.0.0.0:3306" in beside.plan.stderr


def test_the_plan_names_whose_php_could_open_our_sockets(beside: Beside) -> None:
    pool = "the PHP-FPM pool www of php8.4-fpm.service runs as www-data, like nginx"
    assert pool in beside.plan.stderr


def test_unknown_names_stay_with_who_answered_them(beside: Beside) -> None:
    assert "/etc/nginx/sites-enabled/www.askpro.test answers unknown names" in beside.plan.stderr


def test_staging_answers_to_its_own_names_alone(by_hand: Provisioned, beside: Beside) -> None:
    request = b"GET / HTTP/1.1\r\nHost: %b\r\nConnection: close\r\n\r\n"
    staging = b"staging.askpro.test"
    over_theirs = by_hand.web.raw("www.askpro.test", request % staging)
    assert over_theirs.startswith(b"HTTP/1.1 421 ")
    unknown = by_hand.web.raw(staging.decode(), request % b"evil.example")
    assert unknown.endswith(ANSWER.encode() + b"\r\n0\r\n\r\n")
