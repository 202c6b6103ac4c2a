"""Differences that a run of deploy.py would put right."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tampering import Finder, Guarded, Tamper, expect_alone, in_rounds, put_right

from stagecraft.drift import CHECK
from stagecraft.drift.findings import Cause

SITE = "askpro-production"
DATABASE = "askpro_production"
LOGIN = f"'{DATABASE}'@'localhost'"
STRANGER = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGJ1dCBub2JvZHkga25vd3Mgd2hvc2UgdGhpcyBp stranger"


def high(kind: str, thing: str) -> tuple[str, str, str, str]:
    return "managed", "high", kind, thing


def critical(kind: str, thing: str) -> tuple[str, str, str, str]:
    return "managed", "critical", kind, thing


def edited(path: str, line: str = "# by hand") -> Tamper:
    return Tamper(f"echo '{line}' >> {path}", high("file", path))


def blocked(
    path: str, expected: Callable[[str, str], tuple[str, str, str, str]], kind: str = "file"
) -> Tamper:
    """A directory in its place, with something in it that nobody shall lose."""
    return Tamper(f"rm {path} && mkdir -p {path}/kept", expected(kind, path))


def mariadb(statement: str) -> str:
    return f"mariadb <<'END'\n{statement}\nEND"


def sql(statement: str, kind: str, thing: str) -> Tamper:
    return Tamper(mariadb(statement), high(kind, thing))


def stopped(unit: str) -> Tamper:
    return Tamper(f"systemctl stop {unit}", critical("service", unit))


TAMPERS = [
    Tamper(f"nft delete table inet stagecraft-{SITE}", critical("reach", SITE)),
    Tamper(
        f"nft insert rule inet stagecraft-{SITE} site tcp dport 6379 accept",
        critical("reach", SITE),
    ),
    edited(f"/etc/stagecraft/reach/{SITE}.nft"),
    Tamper(
        f"systemctl stop stagecraft-reach@{SITE}",
        high("service", f"stagecraft-reach@{SITE}.service"),
    ),
    Tamper(
        f"sed -i 's/client_max_body_size .*/client_max_body_size 9G;/' "
        f"/etc/nginx/sites-available/{SITE}.conf",
        high("file", f"/etc/nginx/sites-available/{SITE}.conf"),
    ),
    Tamper(
        f"rm /etc/nginx/sites-enabled/zz-{SITE}.conf",
        high("link", f"/etc/nginx/sites-enabled/zz-{SITE}.conf"),
    ),
    Tamper(
        "chmod 666 /etc/nginx/conf.d/stagecraft.conf",
        high("file", "/etc/nginx/conf.d/stagecraft.conf"),
    ),
    Tamper(
        f"chown {SITE} /var/www/{SITE}/shared/.env",
        high("file", f"/var/www/{SITE}/shared/.env"),
    ),
    Tamper(
        f"sed -i 's/^APP_NAME=.*/APP_NAME=Mine/' /var/www/{SITE}/shared/.env",
        high("file", f"/var/www/{SITE}/shared/.env"),
    ),
    Tamper(
        f"setfacl -b /var/www/{SITE}",
        high("directory", f"/var/www/{SITE}"),
    ),
    Tamper(
        f"chmod 777 /var/www/{SITE}/shared/storage/logs",
        high("directory", f"/var/www/{SITE}/shared/storage/logs"),
    ),
    Tamper(
        f"cd /var/www/{SITE}/releases && cp -a placeholder own && chown -R {SITE}: own",
        high("releases", f"/var/www/{SITE}/releases"),
    ),
    Tamper(
        f"ln -s /etc/nginx /var/www/{SITE}/releases/placeholder/public/out",
        high("releases", f"/var/www/{SITE}/releases"),
    ),
    Tamper(
        f"cd /var/www/{SITE}/shared/storage && rmdir app/public && ln -s /etc app/public",
        high("directory", f"/var/www/{SITE}/shared/storage/app/public"),
    ),
    Tamper(
        f"cd /var/www/{SITE}/shared/storage && rm -r logs && touch logs && chown {SITE}: logs",
        high("directory", f"/var/www/{SITE}/shared/storage/logs"),
    ),
    blocked(f"/etc/nginx/sites-enabled/zz-{SITE}.conf", high, "link"),
    blocked(f"/etc/systemd/system/php-fpm@{SITE}.service", high),
    edited(f"/etc/systemd/system/php-fpm@{SITE}.service"),
    edited(f"/etc/systemd/system/redis-server@{SITE}.service.d/stagecraft.conf"),
    edited(f"/etc/php/8.4/fpm/{SITE}/php-fpm.conf", "; by hand"),
    edited(f"/etc/redis/redis-{SITE}.conf"),
    edited(f"/etc/redis/redis-{SITE}.acl", "user evil on nopass ~* +@all"),
    blocked(f"/etc/redis/redis-{SITE}.acl", high),
    edited("/etc/fail2ban/jail.d/stagecraft.local"),
    edited("/etc/sysctl.d/60-stagecraft.conf"),
    edited("/etc/apt/apt.conf.d/52stagecraft", "// by hand"),
    edited("/etc/mysql/mariadb.conf.d/90-stagecraft.cnf"),
    Tamper(
        "echo 'anna ALL=(ALL) ALL' >> /etc/sudoers.d/stagecraft",
        critical("file", "/etc/sudoers.d/stagecraft"),
    ),
    blocked("/etc/stagecraft/firewall/rules.nft", critical),
    Tamper(
        "sed -i 's/^PasswordAuthentication .*/PasswordAuthentication yes/'"
        " /etc/ssh/sshd_config.d/00-stagecraft.conf",
        critical("file", "/etc/ssh/sshd_config.d/00-stagecraft.conf"),
    ),
    Tamper(
        "sed -i 's/policy drop/policy accept/' /etc/stagecraft/firewall/rules.nft",
        critical("file", "/etc/stagecraft/firewall/rules.nft"),
    ),
    Tamper(
        "rm /etc/ssh/authorized_keys.d/anna", critical("file", "/etc/ssh/authorized_keys.d/anna")
    ),
    Tamper(
        f"echo '{STRANGER}' >> /etc/ssh/authorized_keys.d/anna",
        critical("file", "/etc/ssh/authorized_keys.d/anna"),
    ),
    Tamper(
        "usermod --shell /usr/sbin/nologin anna",
        critical("account", "anna"),
    ),
    Tamper("userdel anna", critical("account", "anna")),
    Tamper(f"usermod --shell /bin/bash {SITE}", critical("account", SITE)),
    Tamper("apt-get remove -q -y needrestart", high("package", "needrestart")),
    Tamper("systemctl stop nginx", critical("service", "nginx.service")),
    Tamper(
        "systemctl mask --quiet --now apt-daily.timer",
        high("service", "apt-daily.timer"),
    ),
    stopped(f"php-fpm@{SITE}.service"),
    stopped(f"redis-server@{SITE}.service"),
    Tamper(
        "systemctl disable --now --quiet apt-daily-upgrade.timer",
        high("service", "apt-daily-upgrade.timer"),
    ),
    Tamper("systemctl disable --quiet nginx", high("service", "nginx.service")),
    sql(
        f"REVOKE DELETE ON `askpro\\_production`.* FROM {LOGIN}",
        "database user",
        f"{DATABASE}@localhost",
    ),
    sql(
        f"GRANT ALL ON *.* TO {LOGIN}",
        "database user",
        f"{DATABASE}@localhost",
    ),
    sql(
        f"ALTER USER {LOGIN} IDENTIFIED BY 'another-one-2'",
        "database user",
        f"{DATABASE}@localhost",
    ),
    sql(
        f"ALTER DATABASE {DATABASE} CHARACTER SET latin1",
        "database",
        DATABASE,
    ),
    Tamper(f"mariadb -e 'DROP DATABASE {DATABASE}'", critical("database", DATABASE)),
    Tamper("hostname elsewhere", high("host name", "guarded")),
    Tamper("sed -i /guarded/d /etc/hosts", high("hosts entry", "guarded")),
    Tamper(
        "ln -sfn /usr/share/zoneinfo/Asia/Tokyo /etc/localtime",
        high("link", "/etc/localtime"),
    ),
    Tamper(
        f"ln -sfn /var/lib/stagecraft/self-signed/askpro-staging /etc/ssl/stagecraft/{SITE}",
        high("link", f"/etc/ssl/stagecraft/{SITE}"),
    ),
]


APART = ("php-fpm@", "nft .* inet|/reach/|reach@", "needrestart|/etc/localtime")


def test_a_converged_server_is_clean(guarded: Guarded) -> None:
    for environment in ("staging", "production"):
        report = guarded.check(environment)
        assert (report.findings, report.unchecked) == ([], [])


@pytest.mark.parametrize(("together", "tamper"), in_rounds(TAMPERS, *APART))
def test_what_somebody_changes_is_found_alone(
    find: Finder, together: tuple[Tamper, ...], tamper: Tamper
) -> None:
    assert find(together).alone(tamper).cause == Cause.SERVER


def test_what_stood_in_the_way_is_kept(guarded: Guarded) -> None:
    expect_alone(guarded, blocked("/etc/nginx/conf.d/stagecraft.conf", high))
    assert guarded.shell("ls -d /root/found.*/stagecraft.conf/kept")


def test_a_release_is_no_difference(guarded: Guarded) -> None:
    home = f"/var/www/{SITE}"
    guarded.shell(
        f"cp -a {home}/releases/placeholder {home}/releases/1 && ln -sfn releases/1 {home}/current"
    )
    try:
        assert guarded.check().findings == []
    finally:
        guarded.shell(f"ln -sfn releases/placeholder {home}/current; rm -r {home}/releases/1")


def test_a_home_given_to_its_site_is_root_s_again_by_a_run(guarded: Guarded) -> None:
    guarded.shell(f"chown -R {SITE}: /var/www/{SITE}")
    report = guarded.check()
    assert not report.unchecked
    assert {finding.remedy for finding in report.findings} == {
        "pyinfra inventories/production.py deploy.py"
    }
    guarded.project.apply("production")
    assert guarded.check().findings == []


@pytest.fixture
def chattr(guarded: Guarded) -> Iterator[None]:
    """What every rented server has."""
    guarded.shell("apt-get install -q -y --no-install-recommends e2fsprogs")
    yield
    guarded.shell("apt-get purge -q -y --autoremove --allow-remove-essential e2fsprogs")


@pytest.mark.usefixtures("chattr")
def test_what_root_cannot_change_either_is_changed_by_the_remedy(guarded: Guarded) -> None:
    path = "/etc/nginx/conf.d/stagecraft.conf"
    guarded.shell(f"echo '# by hand' >> {path} && chattr +i {path}")
    [finding] = (found for found in guarded.check().findings if found.thing == path)
    put_right(guarded, finding.remedy)
    assert guarded.project.plan("production") == []


def test_nothing_is_left_of_all_that(guarded: Guarded) -> None:
    assert guarded.check().findings == []


# --- Without secrets ---


@pytest.fixture
def without_secrets(guarded: Guarded) -> Iterator[list[Path]]:
    """A project on a machine that has neither the secrets nor a key: what it must not make."""
    kept = guarded.project.directory / ".stagecraft"
    secret = [kept / "identity", kept / "secrets"]
    away = [path.rename(path.with_suffix(".away")) for path in secret]
    yield secret
    for path, aside in zip(secret, away, strict=True):
        assert not path.exists()
        aside.rename(path)


def test_the_check_opens_no_secret(guarded: Guarded, without_secrets: list[Path]) -> None:
    guarded.project.environment = {"STAGECRAFT_IDENTITY": "/nonexistent"}
    try:
        report = guarded.check()
    finally:
        guarded.project.environment = {}
    assert (report.findings, report.unchecked) == ([], [])


def test_a_difference_in_secrets_has_names_and_no_values(
    guarded: Guarded, without_secrets: list[Path]
) -> None:
    env = f"/var/www/{SITE}/shared/.env"
    guarded.shell(f"cp -a {env} /root/kept")
    key = guarded.shell(f"sed -n 's/^APP_KEY=//p' {env}")
    try:
        guarded.shell(
            f"sed -i -e 's/^APP_NAME=.*/APP_NAME=hunter2/' -e 's/^QUEUE_CONN.*//' {env}"
            f" && echo MINE=tr0ub4dor >> {env}"
        )
        (found,) = guarded.check().findings
        guarded.shell(f"cp -a /root/kept {env} && sed -i 's/^DB_PASSWORD=.*/DB_PASSWORD=x/' {env}")
        (hidden,) = guarded.check().findings
    finally:
        guarded.shell(f"mv /root/kept {env}")
    assert found.diff == (
        f"change {env}",
        "-APP_NAME (not shown)",
        '+APP_NAME="AskPro (production)"',
        "-MINE (not shown)",
        "+QUEUE_CONNECTION=redis",
    )
    assert hidden.diff[1:] == (" one of APP_KEY, DB_PASSWORD, REDIS_PASSWORD differs (secret)",)
    for secret in ("hunter2", "tr0ub4dor", key):
        assert secret not in found.model_dump_json()


def test_a_diff_shows_no_secret_behind_a_link_and_steers_no_terminal(guarded: Guarded) -> None:
    """Neither in a plan nor in the check."""
    vhost, env = f"/etc/nginx/sites-available/{SITE}.conf", f"/var/www/{SITE}/shared/.env"
    snippet = "/etc/nginx/snippets/stagecraft/fastcgi.conf"
    key = guarded.shell(f"sed -n 's/^APP_KEY=//p' {env}")
    guarded.shell(f"cp -a {vhost} {snippet} /root/")
    guarded.shell(f"ln -sf {env} {vhost} && printf '# \\033]0;owned\\007\\377\\n' >>{snippet}")
    try:
        plan = guarded.project.pyinfra("production", "--dry", "--diff").stderr
        report = guarded.check().model_dump_json()
    finally:
        guarded.shell(
            f"mv -f /root/{SITE}.conf {vhost} && mv -f /root/fastcgi.conf {snippet}"
            " && systemctl reload nginx"
        )
    assert "the present link is not shown" in plan
    for shown in (plan, report.replace("\\\\", "\\")):
        assert r"-# \x1b]0;owned\x07\xff" in shown
        assert "\x1b]" not in shown
        assert key not in shown


def test_the_check_is_never_carried_out(guarded: Guarded) -> None:
    guarded.shell("systemctl stop logrotate.timer")
    run = guarded.project.pyinfra("production", "-y", verb=str(CHECK))
    guarded.shell("systemctl is-active logrotate.timer || true; systemctl start logrotate.timer")
    assert run.code == 1
    assert "only looks: start it with --dry" in run.output


# --- Who moved ---


def test_files_that_moved_on_are_told_apart(guarded: Guarded) -> None:
    vhost = f"/etc/nginx/sites-available/{SITE}.conf"
    ini = f"/etc/php/8.4/fpm/{SITE}/90-stagecraft.ini"
    guarded.shell(f"echo '; by hand' >> {ini}")
    site = {"upload_limit": "7M", "php_extensions": ["gmp"], "env": {"A": "b"}}
    try:
        with guarded.project.edited("production", {"sites": {"askpro": site}}):
            report = guarded.check()
            assert {(f.kind, f.thing): (f.cause, f.severity) for f in report.findings} == {
                ("file", vhost): (Cause.FILES, "low"),
                ("file", ini): (Cause.SERVER, "high"),
                ("package", "php8.4-gmp"): (Cause.FILES, "low"),
                ("secrets", SITE): (Cause.FILES, "low"),
            }
    finally:
        guarded.project.apply("production")


def test_what_deploy_refuses_spoils_that_alone(guarded: Guarded) -> None:
    guarded.shell("mariadb -e 'CREATE DATABASE crm'")
    try:
        with guarded.project.edited("production", {"databases": {"crm": {"present": False}}}):
            report = guarded.check()
    finally:
        guarded.shell("mariadb -e 'DROP DATABASE crm'")
    (unchecked,) = report.unchecked
    assert unchecked.area == "managed"
    assert "Stagecraft did not make the database crm" in unchecked.reason


def test_a_manifest_from_before_knows_no_causes(guarded: Guarded) -> None:
    guarded.shell("sed -i '/^{.state.: /d' /var/lib/stagecraft/manifests/*")
    try:
        assert guarded.check().findings == []
        guarded.shell(f"systemctl stop php-fpm@{SITE}")
        (found,) = guarded.check().findings
    finally:
        for environment in ("staging", "production"):
            guarded.project.apply(environment)
    assert (found.cause, found.severity) == (None, "critical")


# --- Who did it ---


def test_an_edit_by_sudo_has_a_name(guarded: Guarded) -> None:
    path = "/etc/fail2ban/jail.d/stagecraft.local"
    before = datetime.now(UTC)
    guarded.server.ssh(f"sudo sed -i 's/^#.*/# password=hunter2/' {path}", user="anna")
    try:
        (found,) = guarded.check().findings
    finally:
        guarded.project.apply("production")
    assert found.who == f"anna (sudo sed … {path})"
    assert found.since is not None
    assert timedelta(seconds=-1) < found.since - before < timedelta(minutes=1)
    assert "hunter2" not in found.who


def test_a_unit_stopped_by_sudo_and_a_package_removed(guarded: Guarded) -> None:
    guarded.server.ssh("sudo systemctl stop apt-daily.timer", user="anna")
    guarded.server.ssh("sudo apt-get remove -q -y needrestart", user="anna")
    try:
        found = {finding.thing: finding.who for finding in guarded.check().findings}
    finally:
        guarded.project.apply("production")
    assert found == {
        "apt-daily.timer": "anna (sudo systemctl … apt-daily.timer)",
        "needrestart": "anna (apt-get remove)",
    }
