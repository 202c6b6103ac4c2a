"""Differences that a run of deploy.py would put right."""

from __future__ import annotations

import pytest
from tampering import Guarded, Tamper, expect_alone

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


def sql(statement: str, kind: str, thing: str) -> Tamper:
    return Tamper(f'mariadb -e "{statement}"', high(kind, thing))


def stopped(unit: str) -> Tamper:
    return Tamper(f"systemctl stop {unit}", critical("service", unit))


TAMPERS = [
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
    Tamper(f"setfacl -b /var/www/{SITE}", high("directory", f"/var/www/{SITE}")),
    Tamper(
        f"chmod 777 /var/www/{SITE}/shared/storage/logs",
        high("directory", f"/var/www/{SITE}/shared/storage/logs"),
    ),
    edited(f"/etc/systemd/system/php-fpm@{SITE}.service"),
    edited(f"/etc/systemd/system/redis-server@{SITE}.service.d/stagecraft.conf"),
    edited(f"/etc/php/8.4/fpm/{SITE}/php-fpm.conf", "; by hand"),
    edited(f"/etc/redis/redis-{SITE}.conf"),
    edited(f"/etc/redis/redis-{SITE}.acl", "user evil on nopass ~* +@all"),
    edited("/etc/fail2ban/jail.d/stagecraft.local"),
    edited("/etc/sysctl.d/60-stagecraft.conf"),
    edited("/etc/apt/apt.conf.d/52stagecraft", "// by hand"),
    edited("/etc/mysql/mariadb.conf.d/90-stagecraft.cnf"),
    Tamper(
        "echo 'anna ALL=(ALL) ALL' >> /etc/sudoers.d/stagecraft",
        critical("file", "/etc/sudoers.d/stagecraft"),
    ),
    Tamper(
        "sed -i 's/^PasswordAuthentication .*/PasswordAuthentication yes/'"
        " /etc/ssh/sshd_config.d/00-stagecraft.conf",
        critical("file", "/etc/ssh/sshd_config.d/00-stagecraft.conf"),
    ),
    Tamper(
        "sed -i 's/policy drop/policy accept/' /etc/stagecraft/firewall/rules.nft",
        critical("file", "/etc/stagecraft/firewall/rules.nft"),
    ),
    Tamper("nft delete table inet stagecraft", critical("firewall", "inet stagecraft")),
    Tamper(
        "rm /etc/ssh/authorized_keys.d/anna", critical("file", "/etc/ssh/authorized_keys.d/anna")
    ),
    Tamper(
        f"echo '{STRANGER}' >> /etc/ssh/authorized_keys.d/anna",
        critical("file", "/etc/ssh/authorized_keys.d/anna"),
    ),
    Tamper("usermod --shell /usr/sbin/nologin anna", critical("account", "anna")),
    Tamper("userdel anna", critical("account", "anna")),
    Tamper(f"usermod --shell /bin/bash {SITE}", critical("account", SITE)),
    Tamper("apt-get remove -q -y needrestart", high("package", "needrestart")),
    stopped("nginx.service"),
    stopped(f"php-fpm@{SITE}.service"),
    stopped(f"redis-server@{SITE}.service"),
    stopped("mariadb.service"),
    Tamper(
        "systemctl disable --now --quiet apt-daily-upgrade.timer",
        high("service", "apt-daily-upgrade.timer"),
    ),
    Tamper("systemctl disable --quiet nginx", high("service", "nginx.service")),
    sql(
        f"REVOKE DELETE ON askpro\\\\\\_production.* FROM {LOGIN}",
        "database user",
        f"{DATABASE}@localhost",
    ),
    sql(f"GRANT ALL ON *.* TO {LOGIN}", "database user", f"{DATABASE}@localhost"),
    sql(
        f"ALTER USER {LOGIN} IDENTIFIED BY 'another-one-2'",
        "database user",
        f"{DATABASE}@localhost",
    ),
    sql(f"ALTER DATABASE {DATABASE} CHARACTER SET latin1", "database", DATABASE),
    Tamper(f"mariadb -e 'DROP DATABASE {DATABASE}'", critical("database", DATABASE)),
    Tamper("hostname elsewhere", high("host name", "guarded")),
    Tamper("sed -i /guarded/d /etc/hosts", high("hosts entry", "guarded")),
    Tamper("ln -sfn /usr/share/zoneinfo/Asia/Tokyo /etc/localtime", high("link", "/etc/localtime")),
    Tamper(
        f"ln -sfn /var/lib/stagecraft/self-signed/askpro-staging /etc/ssl/stagecraft/{SITE}",
        high("link", f"/etc/ssl/stagecraft/{SITE}"),
    ),
]


def test_a_converged_server_is_clean(guarded: Guarded) -> None:
    for environment in ("staging", "production"):
        report = guarded.check(environment)
        assert (report.findings, report.unchecked) == ([], [])


@pytest.mark.parametrize("tamper", TAMPERS, ids=lambda tamper: tamper.name)
def test_what_somebody_changes_is_found_alone(guarded: Guarded, tamper: Tamper) -> None:
    expect_alone(guarded, tamper)


def test_a_release_is_no_difference(guarded: Guarded) -> None:
    home = f"/var/www/{SITE}"
    guarded.shell(
        f"cp -a {home}/releases/placeholder {home}/releases/1 && ln -sfn releases/1 {home}/current"
    )
    try:
        assert guarded.check().findings == []
    finally:
        guarded.shell(f"ln -sfn releases/placeholder {home}/current; rm -r {home}/releases/1")


def test_nothing_is_left_of_all_that(guarded: Guarded) -> None:
    assert guarded.check().findings == []
