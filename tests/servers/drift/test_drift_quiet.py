"""Nothing is found after what happens on a server by itself, or by a release."""

from __future__ import annotations

import pytest
from provisioned import Provisioned
from tampering import Guarded

from lab.lab import Lab
from stagecraft.drift.findings import Report
from stagecraft.services import MAINTENANCE

NEW_RELEASE = """
cd /var/www/askpro-production
cp -a releases/placeholder releases/next
ln -sfn releases/next current.new && mv -fT current.new current
systemctl reload php-fpm@askpro-production
"""

REINSTALLED = (
    "apt-get install -q -y --reinstall"
    " $(dpkg-query -W -f '${{db:Status-Status}} ${{Package}}\\n' {} | sed -n 's/^installed //p')"
)


def taken_back(packages: str) -> str:
    """Every installed package whose name matches gets the older version that the archives have; if
    they have none of any, all are unpacked anew."""
    return f"""
export DEBIAN_FRONTEND=noninteractive
dpkg-query -W -f '${{db:Status-Status}} ${{Package}}\\n' | sed -n 's/^installed //p' |
    grep -E '{packages}' >/root/matching
xargs apt-cache policy </root/matching | awk '
    /^[^ ]/ {{ package = $1 }}
    / \\*\\*\\* / {{ installed = package; next }}
    /^     [^ ]/ && package == installed {{ print package $1; installed = "" }}' |
    sed 's/:/=/' >/root/older
[ -s /root/older ] || cp /root/matching /root/older
apt-get install -q -y --reinstall --allow-downgrades -o Dpkg::Options::=--force-confold \\
    $(cat /root/older)
rm /root/older /root/matching
"""


NIGHTLY = """
for night in 1 2 3; do
    touch -d '2 days ago' /var/lib/apt/periodic/*
    /usr/lib/apt/apt.systemd.daily update
    /usr/lib/apt/apt.systemd.daily install
    apt list --upgradable 2>/dev/null | grep -q -e -security || exit 0
done
exit 1
"""
"""As apt's timers do. A night may end early, because an upgrade restarts what upgrades."""

NIGHTS = {
    "apt's index refreshed": "apt-get update -q",
    "logs rotated": "logrotate --force /etc/logrotate.conf",
    "logs rotated by their timers": (
        "systemctl start logrotate.service logrotate@askpro-production.service"
    ),
    "a library upgraded, and what uses it restarted": REINSTALLED.format("'libssl3*' openssl"),
    "PHP, OpenSSL and OpenSSH upgraded by an admin": (
        f"{taken_back('^(php|openss|libssl)')} apt-get upgrade -q -y"
    ),
    "nginx, Redis and MariaDB upgraded": (
        "apt-get install -q -y --reinstall nginx redis-server redis-tools mariadb-server"
    ),
    "security upgrades by themselves": (
        f"{taken_back('^(nginx|needrestart|lib(gd3|gssapi|k5|krb5))')} {NIGHTLY}"
    ),
    "PHP-FPM reloaded": "systemctl reload php-fpm@askpro-production php-fpm@askpro-staging",
    "nginx reloaded past systemd": "touch /etc/nginx/mime.types && nginx -s reload; sleep 1",
    "systemd reloaded": "systemctl daemon-reload",
    "temporary files cleaned": "systemctl start systemd-tmpfiles-clean.service",
    "a new release": NEW_RELEASE,
    "an admin at work": "mariadb -e 'SHOW VARIABLES' && nginx -t && sshd -T && redis-cli -v",
}


def expect_quiet(*reports: Report) -> None:
    for report in reports:
        assert [finding.id for finding in report.findings] == []
        assert report.unchecked == []


@pytest.mark.parametrize("night", NIGHTS)
def test_nothing_is_found_after(guarded: Guarded, night: str) -> None:
    guarded.shell(NIGHTS[night])
    expect_quiet(guarded.check("production"), guarded.check("staging"))


def test_nothing_is_found_during_a_release_that_keeps_visitors_out(guarded: Guarded) -> None:
    unit, closed = "stagecraft-action-askpro-production", f"{MAINTENANCE}/askpro-production"
    guarded.shell(
        f"systemd-run --collect --unit={unit} sleep infinity; mkdir {closed}; touch {closed}/closed"
    )
    try:
        expect_quiet(guarded.check("production"), guarded.check("staging"))
    finally:
        guarded.shell(f"rm -r {closed}; systemctl stop {unit}")


def test_nothing_is_found_when_a_self_signed_certificate_was_renewed(guarded: Guarded) -> None:
    guarded.shell("rm /var/lib/stagecraft/self-signed/askpro-production")
    guarded.project.apply("production")
    expect_quiet(guarded.check("production"), guarded.check("staging"))


def test_nothing_is_found_after_a_reboot(guarded: Guarded) -> None:
    guarded.server.reboot()
    expect_quiet(guarded.check("production"), guarded.check("staging"))


NIGHTS_12 = {
    "logs rotated": NIGHTS["logs rotated"],
    "PHP upgraded": REINSTALLED.format("'php8*'"),
}


@pytest.mark.parametrize("night", NIGHTS_12)
def test_nothing_is_found_on_debian_12_after(guarded_12: Guarded, night: str) -> None:
    guarded_12.shell(NIGHTS_12[night])
    expect_quiet(guarded_12.check("production"), guarded_12.check("staging"))


@pytest.mark.parametrize(
    "night",
    [
        "true",
        "systemctl start certbot.service",
    ],
)
def test_nothing_is_found_with_a_ca_s_certificate(
    bookworm: Provisioned, lab: Lab, night: str
) -> None:
    """certbot renews each time: the CA's certificates last six days."""
    server = Guarded(bookworm.server, bookworm.project, lab)
    server.as_if_bootstrapped()
    before = server.shell("readlink /etc/letsencrypt/live/askpro-staging/fullchain.pem")
    server.shell(night)
    after = server.shell("readlink /etc/letsencrypt/live/askpro-staging/fullchain.pem")
    assert ("certbot" in night) == (before != after)
    expect_quiet(server.check("staging"))
