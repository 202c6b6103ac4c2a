"""What is going to fail by itself."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tampering import Finder, Guarded, Tamper, in_rounds

SELF_SIGNED = "/var/lib/stagecraft/self-signed/askpro-production"

OLD_CERTIFICATE = (
    f"cd {SELF_SIGNED} &&"
    " openssl req -x509 -key privkey.pem -subj /CN=askpro-production"
    " -addext subjectAltName=DNS:api.askpro.test"
    " -not_before {begins} -not_after {ends} -out fullchain.pem"
    " && systemctl reload nginx && sleep 1"
)
"""The same key and names, from and to other days."""


def wearing(severity: str, kind: str, thing: str) -> tuple[str, str, str, str]:
    return "wearing out", severity, kind, thing


def in_days(days: int) -> str:
    return f"$(date -u -d '{days} days' +%Y%m%d%H%M%SZ)"


def aged(days: int) -> str:
    return OLD_CERTIFICATE.format(begins=in_days(-300), ends=in_days(days))


def full(percent: int) -> str:
    return (
        "mkdir -p /mnt/full && mount -t tmpfs -o size=100M tmpfs /mnt/full &&"
        f" fallocate -l {percent}M /mnt/full/file"
    )


ROTATED = "/var/log/php-fpm-askpro-staging/logrotate.state"

EMPTIED = "umount /mnt/full && rmdir /mnt/full"


TAMPERS = [
    Tamper(aged(-1), wearing("critical", "certificate", "api.askpro.test")),
    Tamper(aged(5), wearing("high", "certificate", "api.askpro.test")),
    Tamper(aged(25), wearing("low", "certificate", "api.askpro.test")),
    Tamper(
        aged(200).replace("systemctl reload nginx", "true"),
        ("running", "high", "certificate", "api.askpro.test"),
    ),
    Tamper(full(81), wearing("low", "disk space", "/mnt/full"), EMPTIED),
    Tamper(full(91), wearing("high", "disk space", "/mnt/full"), EMPTIED),
    Tamper(full(98), wearing("critical", "disk space", "/mnt/full"), EMPTIED),
    Tamper(
        "mkdir -p /mnt/full && mount -t tmpfs -o size=100M,nr_inodes=100 tmpfs /mnt/full &&"
        " cd /mnt/full && touch $(seq 92)",
        wearing("high", "inodes", "/mnt/full"),
        EMPTIED,
    ),
    Tamper(
        "echo '/var/log/broken {' > /etc/logrotate.d/broken; ! systemctl start logrotate.service;"
        " rm /etc/logrotate.d/broken",
        wearing("high", "failed unit", "logrotate.service"),
    ),
    Tamper(
        f"echo broken > {ROTATED}; ! systemctl start logrotate@askpro-staging; rm {ROTATED}",
        wearing("high", "failed unit", "logrotate@askpro-staging.service"),
    ),
    Tamper(
        "cd /run/systemd/system;"
        " printf '[Service]\\nType=oneshot\\nExecStart=false\\n' > gone.service;"
        " systemctl start gone.service; rm gone.service",
        wearing("high", "failed unit", "gone.service"),
    ),
    Tamper(
        "touch -d '4 days ago' /var/lib/apt/periodic/unattended-upgrades-stamp"
        " /etc/apt/apt.conf.d/52stagecraft",
        wearing("high", "unattended upgrades", "success"),
        "rm /var/lib/apt/periodic/unattended-upgrades-stamp;"
        " touch /etc/apt/apt.conf.d/52stagecraft",
    ),
    Tamper(
        "printf 'Package: openssl\\nArchitecture: '$(dpkg --print-architecture)'\\nVersion: 99\\n'"
        " > /var/lib/apt/lists/mirror_dists_security_Packages;"
        " sleep 1; touch /var/lib/apt/periodic/unattended-upgrades-stamp",
        wearing("high", "security updates", "waiting"),
        "rm /var/lib/apt/periodic/unattended-upgrades-stamp"
        " /var/lib/apt/lists/mirror_dists_security_Packages",
    ),
    Tamper(
        "touch /run/reboot-required; echo libc6 > /run/reboot-required.pkgs",
        wearing("low", "reboot", "due"),
        "rm /run/reboot-required*",
    ),
]


@pytest.mark.parametrize(("together", "tamper"), in_rounds(TAMPERS, "upgrades-stamp"))
def test_it_is_found_alone(find: Finder, together: tuple[Tamper, ...], tamper: Tamper) -> None:
    find(together).alone(tamper)


@pytest.fixture
def promised(guarded: Guarded) -> Iterator[Guarded]:
    """A backup of the database every day."""
    guarded.shell("mkdir -p /var/backups/database")
    machine = {"backups": {"/var/backups/database": "1d"}}
    with guarded.project.edited("all", {"servers": {guarded.server.name: machine}}):
        yield guarded
    guarded.shell("rm -r /var/backups/database")


BACKUPS = [
    ("true", "there is none"),
    ("touch /var/backups/database/empty.sql.gz", "there is none"),
    (
        "cd /var/backups/database; echo x > old.sql.gz; touch -d '31 hours ago' old.sql.gz",
        "the newest is 1 day old",
    ),
    ("echo x > /var/backups/database/new.sql.gz", ""),
]


@pytest.mark.parametrize(("made", "found"), BACKUPS)
def test_a_late_backup_is_found(promised: Guarded, made: str, found: str) -> None:
    promised.shell(made)
    report = promised.check()
    assert [finding.found for finding in report.findings] == [found] * bool(found)
    for finding in report.findings:
        assert (finding.class_, finding.severity) == ("wearing out", "high")
        assert finding.thing == "/var/backups/database"


def test_nothing_is_left_of_it(guarded: Guarded) -> None:
    for environment in ("staging", "production"):
        assert guarded.check(environment).findings == []
