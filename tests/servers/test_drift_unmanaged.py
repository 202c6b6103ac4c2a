"""What somebody adds to a server behind the project's back, each change found and nothing else."""

from __future__ import annotations

import pytest
from tampering import Guarded, Tamper, expect_alone

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBkh8OvA2kGLyuPNCAcLMKd4sLFpkV1jgPVqjxyTtYWb"
FINGERPRINT = "SHA256:Nqc+eIsoIjgUN8VR7UHKsPx6V/xtkBOeeNjCM20otA8"

VHOST = "/etc/nginx/sites-available/shop"
SSHD = "/etc/ssh/sshd_config.d/50-ca.conf"


def unmanaged(severity: str, kind: str, thing: str) -> tuple[str, str, str, str]:
    return "unmanaged", severity, kind, thing


def file(
    path: str,
    text: str,
    severity: str,
    kind: str,
    thing: str = "",
    mode: str = "644",
    undo: str = "",
) -> Tamper:
    """A file that somebody puts there with an editor."""
    return Tamper(
        f"install -D -m {mode} /dev/null {path} && printf '{text}\\n' >{path}",
        unmanaged(severity, kind, thing or path),
        undo,
    )


def sql(statements: str, severity: str, kind: str, thing: str) -> Tamper:
    return Tamper(f'mariadb -e "{statements}"', unmanaged(severity, kind, thing))


def listening(address: str, severity: str, thing: str) -> Tamper:
    """A program that somebody starts from a shell and leaves running."""
    program = f'$s = IO::Socket::INET->new(LocalAddr => "{address}", Listen => 1) or die; sleep 600'
    port = address.rpartition(":")[2]
    return Tamper(
        f"setsid -f perl -MIO::Socket::INET -e '{program}' >/dev/null 2>&1 </dev/null; sleep 0.5",
        unmanaged(severity, "port", thing),
        f"kill $(ss -Hltnp '( sport = :{port} )' | sed 's/.*pid=\\([0-9]*\\).*/\\1/')",
    )


WEB = [
    Tamper(
        f"printf 'server {{ listen 80; server_name shop.test; }}\\n' >{VHOST}"
        " && ln -s ../sites-available/shop /etc/nginx/sites-enabled/shop && systemctl reload nginx",
        unmanaged("high", "vhost", "/etc/nginx/sites-enabled/shop"),
        f"rm {VHOST} /etc/nginx/sites-enabled/shop && systemctl reload nginx",
    ),
    file("/etc/php/8.4/fpm/pool.d/shop.conf", "[shop]", "high", "FPM pool"),
    Tamper(
        "cp /etc/redis/redis.conf /etc/redis/redis-cache.conf"
        " && ln -s /usr/lib/systemd/system/redis-server@.service"
        " /etc/systemd/system/multi-user.target.wants/redis-server@cache.service"
        " && systemctl daemon-reload",
        unmanaged("high", "Redis instance", "cache"),
    ),
    Tamper(
        "mkdir -p /etc/letsencrypt/renewal /etc/letsencrypt/live/old.test"
        " && echo version = 4.0 >/etc/letsencrypt/renewal/old.test.conf",
        unmanaged("low", "certificate", "old.test"),
        "rm -r /etc/letsencrypt",
    ),
    Tamper(
        "mkdir /var/www/wordpress",
        unmanaged("low", "site directory", "/var/www/wordpress"),
    ),
    file("/etc/stagecraft/notes", "the old server was 198.51.100.7", "low", "file"),
]

DATABASES = [
    sql("CREATE DATABASE reports", "low", "database", "reports"),
    sql(
        "CREATE USER evil@'%' IDENTIFIED BY 'guess'; GRANT ALL ON *.* TO evil@'%'",
        "critical", "database account", "evil@%",
    ),
    sql(
        "GRANT SELECT ON askpro_production.* TO reporter@localhost IDENTIFIED BY 'guess'",
        "high", "database account", "reporter@localhost",
    ),
    sql(
        "CREATE USER ''@localhost",
        "high", "database account", "@localhost",
    ),
    sql(
        "CREATE ROLE analysts; GRANT SELECT ON *.* TO analysts;"
        " GRANT analysts TO askpro_staging@localhost",
        "high", "database role", "analysts",
    ),
    sql(
        "GRANT SELECT ON askpro_production.* TO PUBLIC",
        "high", "database grant", "PUBLIC",
    ),
    sql(
        "CREATE PROCEDURE askpro_production.peek() SELECT 1;"
        " GRANT EXECUTE ON PROCEDURE askpro_production.peek TO askpro_staging@localhost",
        "high", "database grant", "askpro_staging@localhost askpro_production.peek",
    ),
]  # fmt: skip

JOBS = [
    file("/etc/cron.d/backup", "0 4 * * * root true", "high", "cron job"),
    file("/etc/cron.daily/report", "#!/bin/sh", "high", "cron job", mode="755"),
    file("/var/spool/cron/crontabs/deploy", "* * * * * true", "high", "crontab", "deploy", "600"),
    Tamper(
        "printf '[Service]\\nExecStart=true\\n' >/etc/systemd/system/sync.service"
        " && printf '[Timer]\\nOnCalendar=daily\\n[Install]\\nWantedBy=timers.target\\n'"
        " >/etc/systemd/system/sync.timer && systemctl enable --now sync.timer",
        unmanaged("high", "timer", "sync.timer"),
    ),
    Tamper(
        "printf '[Service]\\nExecStart=sleep infinity\\n[Install]\\nWantedBy=multi-user.target\\n'"
        " >/etc/systemd/system/miner.service && systemctl enable --now miner",
        unmanaged("high", "unit", "miner.service"),
    ),
    Tamper(
        "printf '[Service]\\nProtectSystem=no\\n' | SYSTEMD_EDITOR='tee' systemctl edit --stdin"
        " php-fpm@askpro-staging.service",
        unmanaged("high", "unit override", "php-fpm@askpro-staging.service"),
    ),
    Tamper(
        "systemctl enable nftables.service",
        unmanaged("high", "unit", "nftables.service"),
    ),
    Tamper(
        "systemctl mask fstrim.timer",
        unmanaged("low", "masked unit", "fstrim.timer"),
    ),
    Tamper(
        "touch /var/lib/systemd/linger/deploy",
        unmanaged("low", "lingering user", "deploy"),
    ),
    file("/etc/rc.local", "#!/bin/sh", "high", "start script", mode="755"),
]  # fmt: skip

NETWORK = [
    listening("0.0.0.0:8081", "high", "8081/tcp"),
    listening("127.0.0.1:8082", "low", "8082/tcp"),
    Tamper(
        "nft add table ip office"
        " && nft 'add chain ip office in { type filter hook input priority 0; }'"
        " && nft add rule ip office in tcp dport 25 drop",
        unmanaged("high", "firewall table", "ip office"),
    ),
]

ACCESS = [
    Tamper(
        "useradd --create-home --shell /bin/bash mallory",
        unmanaged("high", "account", "mallory"),
    ),
    Tamper(
        "useradd --shell /bin/bash --groups sudo mallory",
        unmanaged("critical", "account", "mallory"),
    ),
    Tamper(
        "useradd --non-unique --uid 0 --shell /bin/sh toor",
        unmanaged("critical", "account", "toor"),
    ),
    Tamper(
        "usermod --shell /bin/bash www-data",
        unmanaged("high", "account", "www-data"),
    ),
    Tamper(
        "gpasswd --add askpro-staging askpro-production",
        unmanaged("critical", "group member", "askpro-staging in askpro-production"),
    ),
    Tamper(
        "gpasswd --add www-data sudo",
        unmanaged("critical", "group member", "www-data in sudo"),
    ),
    Tamper(
        "echo deploy:guess | chpasswd",
        unmanaged("high", "password", "deploy"),
    ),
    Tamper(
        f"echo '{KEY} mallory@laptop' >>/root/.ssh/authorized_keys",
        unmanaged("high", "authorized key", f"root {FINGERPRINT}"),
    ),
    file(
        "/etc/sudoers.d/ops",
        "www-data ALL=(ALL) NOPASSWD: ALL",
        "critical",
        "sudo rules",
        mode="440",
    ),
    Tamper(
        f"echo 'TrustedUserCAKeys {SSHD}.pub' >{SSHD} && systemctl reload ssh",
        unmanaged("high", "sshd settings", SSHD),
    ),
    file("/etc/pam.d/backdoor", "auth sufficient pam_permit.so", "critical", "PAM rules"),
    Tamper(
        "cp /usr/bin/true /usr/local/bin/admin && chmod 4755 /usr/local/bin/admin",
        unmanaged("critical", "setuid program", "/usr/local/bin/admin"),
    ),
]

PACKAGES = [
    file(
        "/etc/apt/sources.list.d/tools.list", "deb [trusted=yes] https://tools.test stable main",
        "critical", "apt source", "https://tools.test stable",
        undo="rm /etc/apt/sources.list.d/tools.list",
    ),
    Tamper(
        "echo 'deb https://mirror.test/linux trixie main' >>/etc/apt/sources.list",
        unmanaged("high", "apt source", "https://mirror.test/linux trixie"),
        "sed -i '$d' /etc/apt/sources.list",
    ),
    file("/etc/apt/trusted.gpg.d/tools.asc", "a key", "high", "apt key"),
    file("/etc/apt/preferences.d/sid", "Package: *", "low", "apt pin"),
    Tamper(
        "apt-mark hold nginx",
        unmanaged("high", "package hold", "nginx"),
    ),
    Tamper(
        "apt-mark manual libgd3",
        unmanaged("low", "package", "libgd3"),
    ),
    Tamper(
        "echo '# by hand' >>/etc/fail2ban/fail2ban.conf",
        unmanaged("low", "package file", "/etc/fail2ban/fail2ban.conf"),
    ),
    Tamper(
        "echo '# by hand' >>/etc/sudoers",
        unmanaged("high", "package file", "/etc/sudoers"),
    ),
    Tamper(
        "printf 'x' >>/usr/bin/wall",
        unmanaged("critical", "package file", "/usr/bin/wall"),
    ),
]  # fmt: skip

FILES = [
    file("/etc/profile.d/proxy.sh", "export http_proxy=http://proxy.test", "low", "file"),
    file("/etc/sysctl.d/99-local.conf", "vm.overcommit_memory = 1", "low", "file"),
    file("/etc/logrotate.d/app", "/var/log/app.log {}", "low", "file"),
    file("/usr/local/bin/deploy.sh", "#!/bin/sh", "low", "program", mode="755"),
]

TAMPERS = [*WEB, *DATABASES, *JOBS, *NETWORK, *ACCESS, *PACKAGES, *FILES]


ON_BOOKWORM = [DATABASES[1], JOBS[0], JOBS[4], ACCESS[0], ACCESS[7], PACKAGES[0], PACKAGES[8]]
"""What is read of something that Debian 12 has in another version or place."""


@pytest.mark.parametrize("tamper", TAMPERS, ids=lambda tamper: tamper.name)
def test_what_somebody_adds(guarded: Guarded, tamper: Tamper) -> None:
    expect_alone(guarded, tamper)


@pytest.mark.parametrize("tamper", ON_BOOKWORM, ids=lambda tamper: tamper.name)
def test_what_somebody_adds_to_bookworm(guarded_12: Guarded, tamper: Tamper) -> None:
    expect_alone(guarded_12, tamper)


@pytest.mark.parametrize("environment", ["staging", "production"])
def test_what_is_declared_is_no_finding(guarded: Guarded, environment: str) -> None:
    expect_all_declared(guarded, environment)


@pytest.mark.parametrize("environment", ["staging", "production"])
def test_what_is_declared_on_bookworm_is_no_finding(guarded_12: Guarded, environment: str) -> None:
    expect_all_declared(guarded_12, environment)


def expect_all_declared(guarded: Guarded, environment: str) -> None:
    report = guarded.check(environment)
    assert (report.findings, report.unchecked) == ([], [])
    assert all(kind.declared == kind.total for kind in report.coverage)
