"""Whom a server knows and trusts, changed behind the project's back."""

from __future__ import annotations

import pytest
from tampering import Finder, Tamper, in_rounds

CERTIFICATE = (
    "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 9 -subj /CN=x"
    " -keyout /dev/null 2>/dev/null"
)


def unmanaged(severity: str, kind: str, thing: str) -> tuple[str, str, str, str]:
    return "unmanaged", severity, kind, thing


ACCOUNTS = [
    Tamper(
        "useradd --system --shell /usr/sbin/nologin telemetry",
        unmanaged("low", "account", "telemetry"),
    ),
    Tamper(
        "useradd --non-unique --uid $(id -u askpro-production) --gid askpro-production"
        " --shell /usr/sbin/nologin --no-create-home askpro",
        unmanaged("high", "same id", "askpro"),
    ),
    Tamper("usermod --home /dev/shm backup", unmanaged("high", "account field", "backup home")),
    Tamper(
        "sed -i 's|:/home/anna:|:/srv/anna:|' /etc/passwd",
        unmanaged("high", "account field", "anna home"),
    ),
    Tamper(
        "usermod --shell /dev/shm/sh root", unmanaged("critical", "account field", "root shell")
    ),
    Tamper(
        "sed -i 's/^games:[^:]*:/games::/' /etc/passwd",
        unmanaged("critical", "password", "games in /etc/passwd"),
    ),
    Tamper(
        "chage --expiredate 2030-01-01 --mindays 9 deploy",
        unmanaged("low", "password ageing", "deploy"),
    ),
    Tamper(
        "echo askpro-staging:0:1 >>/etc/subuid",
        unmanaged("critical", "id range", "subuid askpro-staging:0:1"),
    ),
]

GROUPS = [
    Tamper(
        "gpasswd --add askpro-staging dialout",
        unmanaged("low", "group member", "askpro-staging in dialout"),
    ),
    Tamper(
        "usermod --gid shadow mysql",
        unmanaged("critical", "group member", "mysql in shadow"),
    ),
    Tamper(
        "groupadd --non-unique --gid 27 wheel",
        unmanaged("critical", "same id", "wheel"),
    ),
    Tamper(
        "sed -i 's|^disk:[^:]*|disk:$6$x$x|' /etc/gshadow",
        unmanaged("critical", "group password", "disk"),
    ),
    Tamper(
        "gpasswd --administrators backup adm",
        unmanaged("high", "group administrator", "backup of adm"),
    ),
]

TRUST = [
    Tamper(
        "sed -i 's/^passwd: .*/passwd: files extrausers/' /etc/nsswitch.conf",
        unmanaged("critical", "name service", "passwd"),
    ),
    Tamper(
        "sed -i 's/^hosts: .*/hosts: files wins dns/' /etc/nsswitch.conf",
        unmanaged("high", "name service", "hosts"),
    ),
    Tamper(
        "echo '198.51.100.9 deb.debian.org' >>/etc/hosts",
        unmanaged("high", "host name", "deb.debian.org 198.51.100.9"),
    ),
    Tamper("echo + + >/root/.rhosts", unmanaged("critical", "trusted login", "/root/.rhosts")),
    Tamper(
        "echo 'git.test ssh-ed25519 AAAA' >/root/.ssh/known_hosts",
        unmanaged("low", "known host", "git.test"),
        "rm /root/.ssh/known_hosts",
    ),
    Tamper(
        f"{CERTIFICATE} -out /usr/local/share/ca-certificates/x.crt && update-ca-certificates",
        unmanaged("high", "certificate authority", "/usr/local/share/ca-certificates/x.crt"),
    ),
    Tamper(
        f"{CERTIFICATE} -out /root/x.crt && cat /root/x.crt >>/etc/ssl/certs/ca-certificates.crt"
        " && rm /root/x.crt",
        unmanaged("high", "certificate authority", "/etc/ssl/certs/ca-certificates.crt"),
    ),
]

TAMPERS = [*ACCOUNTS, *GROUPS, *TRUST]


@pytest.mark.parametrize(("together", "tamper"), in_rounds(TAMPERS, "/etc/nsswitch|ssl/certs/ca"))
def test_whom_somebody_lets_in(find: Finder, together: tuple[Tamper, ...], tamper: Tamper) -> None:
    find(together).alone(tamper)


@pytest.mark.parametrize(("together", "tamper"), in_rounds([ACCOUNTS[2], GROUPS[1], TRUST[6]]))
def test_whom_somebody_lets_in_on_bookworm(
    find_12: Finder, together: tuple[Tamper, ...], tamper: Tamper
) -> None:
    find_12(together).alone(tamper)
