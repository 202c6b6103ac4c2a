"""Remedies, followed from the top of a report to its bottom, never run what they then remove."""

from __future__ import annotations

import pytest
from tampering import Guarded, put_right
from web import Web

from stagecraft.drift.findings import Finding
from stagecraft.drift.judging.order import in_order

SITE = "askpro-production"
TRACE = f"/var/www/{SITE}/shared/storage/logs/backdoor.log"
BACKDOOR = "/usr/local/share/backdoor.php"
PREPENDED = f"auto_prepend_file = {BACKDOOR}"

MADE = f"""
install -m 644 /dev/null {BACKDOOR}
echo '<?php file_put_contents("{TRACE}", "ran ", FILE_APPEND);' > {BACKDOOR}
cd /etc/php/*/fpm
"""

PLANTED = f"""{MADE}
echo '{PREPENDED}' > conf.d/98-first.ini
echo '{PREPENDED}' > conf.d/99-second.ini
echo '{PREPENDED}' >> php.ini
echo '{PREPENDED}' >> {SITE}/90-stagecraft.ini
"""
"""A backdoor in each kind of file that PHP-FPM loads, and a file that stops nginx. Nothing has
loaded them yet."""

BESIDE = {
    "a managed file, a certificate and a stopped service": (
        "echo '# by hand' >> /etc/nginx/conf.d/stagecraft.conf;"
        " touch /etc/nginx/mime.types; systemctl stop redis-server@askpro-production"
    ),
    "vhosts, drop-ins and jobs": (
        "echo 'server { listen 80; server_name a.test; }' > /etc/nginx/sites-enabled/a.dpkg-old;"
        " echo 'server { listen 80; server_name b.test; }' > /etc/nginx/conf.d/b.conf;"
        f" mkdir /etc/systemd/system/php-fpm@{SITE}.service.d;"
        " printf '[Service]\\nEnvironment=PHP_INI_SCAN_DIR=/tmp\\n'"
        f" > /etc/systemd/system/php-fpm@{SITE}.service.d/a.conf;"
        " printf '#!/bin/sh\\ntouch /run/backdoor\\n' > /etc/systemd/system-generators/a;"
        " chmod 755 /etc/systemd/system-generators/a;"
        " echo 'DPkg::Pre-Invoke { \"touch /run/backdoor\"; };' > /etc/apt/apt.conf.d/00a;"
        " echo 'APT::Update::Pre-Invoke { \"touch /run/backdoor\"; };' > /etc/apt/apt.conf.d/zz;"
        " apt-get remove -q -y needrestart >/dev/null; rm -f /run/backdoor"
    ),
}


@pytest.fixture(params=["guarded", "guarded_12"])
def server(request: pytest.FixtureRequest) -> Guarded:
    guarded: Guarded = request.getfixturevalue(request.param)
    return guarded


def findings(server: Guarded) -> list[Finding]:
    report = server.check()
    assert not report.unchecked
    return in_order(report.findings)


def ran(server: Guarded) -> str:
    """What the backdoors have left by now, after another request."""
    Web(server.server.address).get("https://api.askpro.test/health")
    return server.shell(f"cat {TRACE} 2>/dev/null; ls /run/backdoor 2>/dev/null; true")


@pytest.mark.parametrize("beside", BESIDE)
def test_a_backdoor_never_runs_while_somebody_puts_things_right(
    server: Guarded, beside: str
) -> None:
    server.shell(f"mkdir -p /etc/systemd/system-generators; {PLANTED}{BESIDE[beside]}")
    try:
        assert ran(server) == ""
        found = findings(server)
        assert len(found) > 5
        for finding in found:
            put_right(server, finding.remedy)
            assert ran(server) == "", finding.remedy
        assert [finding.id for finding in findings(server)] == []
    finally:
        server.shell(f"rm -f {BACKDOOR} {TRACE}")
    server.shell(f"systemctl restart php-fpm@{SITE} php-fpm@askpro-staging nginx")
    assert ran(server) == ""


def test_a_backdoor_that_is_live_and_gone_from_the_disk_ends(server: Guarded) -> None:
    """As the one above, but loaded by a signal; one of its files is deleted since."""
    server.shell(PLANTED)
    try:
        server.shell(
            f"kill -USR2 $(systemctl show --property=MainPID --value php-fpm@{SITE}); sleep 3;"
            " rm /etc/php/*/fpm/conf.d/9?-*.ini"
        )
        assert ran(server)
        for finding in findings(server):
            put_right(server, finding.remedy)
        server.shell(f"rm {TRACE}")
        assert ran(server) == ""
        assert [finding.id for finding in findings(server)] == []
    finally:
        server.shell(f"rm -f {BACKDOOR} {TRACE}")


def test_no_file_takes_the_place_of_php_ini(server: Guarded) -> None:
    """PHP prefers one that is named after its interface, wherever it looks for php.ini."""
    server.shell(f"{MADE} echo '{PREPENDED}' > php-fpm-fcgi.ini; systemctl restart php-fpm@{SITE}")
    try:
        assert ran(server) == ""
        for finding in findings(server):
            put_right(server, finding.remedy)
        assert [finding.id for finding in findings(server)] == []
    finally:
        server.shell(f"rm -f {BACKDOOR} {TRACE}")
