"""A site's logs are kept for a week, and cost nobody else's their rotation."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from provisioned import Provisioned, quote

SITE, NEIGHBOUR = "askpro-staging", "shop-staging"

HOSTILE = f"truncate -s 8T a.log; echo x > {'n' * 250}.log; echo x > z.log"
"""A copy of the one would take hours; the other's name is too long for a `.1` behind it."""


def logs(site: str) -> str:
    return f"/var/www/{site}/shared/storage/logs"


def as_site(host: Provisioned, site: str, command: str) -> None:
    become = f"cd {logs(site)}; setpriv --reuid {site} --regid {site} --clear-groups"
    host.ssh(f"{become} sh -ec {quote(command)}")


def rotates(host: Provisioned, site: str) -> bool:
    """A night, and whether it went well: logrotate has seen the logs before, which it believes to
    be long ago."""
    state = f"/var/log/php-fpm-{site}/logrotate.state"
    start = f"systemctl start logrotate@{site}"
    host.ssh(f"{start} && sed -i '2,$s/ [0-9:-]*$/ 2020-1-1-0:0:0/' {state}")
    return host.succeeds(start)


@pytest.fixture(autouse=True)
def tidied(host: Provisioned) -> Iterator[None]:
    yield
    for site in (SITE, NEIGHBOUR):
        host.ssh(f"rm -f {logs(site)}/*; systemctl reset-failed logrotate@{site} 2>&1 || true")


def test_what_one_site_puts_among_its_logs_stops_nobody_s_rotation(host: Provisioned) -> None:
    as_site(host, SITE, HOSTILE)
    as_site(host, NEIGHBOUR, "echo x > laravel.log")
    assert host.succeeds("timeout 60 logrotate --force /etc/logrotate.conf")
    assert rotates(host, NEIGHBOUR)
    assert host.ssh(f"ls {logs(NEIGHBOUR)}") == "laravel.log.1"


def test_what_cannot_be_rotated_fails_that_site_s_unit_and_leaves_its_other_logs(
    host: Provisioned,
) -> None:
    as_site(host, SITE, HOSTILE)
    assert not rotates(host, SITE)
    assert host.ssh(f"ls {logs(SITE)}").split() == ["a.log.1", f"{'n' * 250}.log", "z.log.1"]


def test_what_was_rotated_goes_after_a_week(host: Provisioned) -> None:
    """Also what an earlier version has compressed, and a log that the app made for one day."""
    as_site(
        host,
        SITE,
        "touch -d '9 days ago' laravel.log.3.gz laravel-2026-11-01.log.1 invoice.pdf;"
        " touch -d '5 days ago' laravel.log.2.gz; echo x > laravel.log",
    )
    assert rotates(host, SITE)
    kept = ["invoice.pdf", "laravel.log.1", "laravel.log.2.gz"]
    assert host.ssh(f"ls {logs(SITE)}").split() == kept


def test_what_php_has_left_for_a_week_in_its_tmp_goes(host: Provisioned) -> None:
    temporary = f"/var/cache/stagecraft/{SITE}"
    old = "mkdir tmp/a; touch -d '9 days ago' tmp/old tmp/a/old var-tmp/old; touch tmp/new"
    as_site(host, SITE, f"cd {temporary}; {old}")
    assert rotates(host, SITE)
    assert host.ssh(f"cd {temporary}; find . -type f -name '[on]*'") == "./tmp/new"
    host.ssh(f"cd {temporary}; rm -r tmp/new tmp/a")
