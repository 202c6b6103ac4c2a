"""What runs is not what is on disk."""

from __future__ import annotations

import platform
import re

import pytest
from tampering import Guarded, Tamper, expect_alone

REDIS = "redis-server@askpro-production.service"
FPM = "php-fpm@askpro-production.service"

AS_REDIS_ADMIN = """
systemctl reset-failed redis-server@askpro-production  # as often as tests do is too often
acl=/etc/redis/redis-askpro-production.acl socket=/run/redis-askpro-production/redis-server.sock
cp -p $acl /root/before.acl
echo 'user admin on nopass ~* &* +@all' >> $acl
systemctl restart redis-server@askpro-production
cat /root/before.acl > $acl; rm /root/before.acl
for attempt in 1 2 3 4 5 6 7 8 9 10; do [ -S $socket ] && break; sleep 0.1; done
printf 'AUTH admin -\\n%s\\nACL DELUSER admin\\n' | redis-cli -s $socket
"""
"""An admin who lets himself in, and covers the traces: only the running instance knows."""

NEWER_KERNEL = re.sub(r"^\d+", "99", platform.release())

TOUCH_AND_REVERT = (
    "cp -p {0} /root/before && echo >> {0} && {1}; sleep 0.5;"
    " cat /root/before > {0}; rm /root/before"
)
"""Edited, taken up, and put back by hand: the process still has the edit."""


def running(severity: str, kind: str, thing: str) -> tuple[str, str, str, str]:
    return "running", severity, kind, thing


TAMPERS = [
    Tamper(
        "mariadb -e 'SET GLOBAL max_connections = 10'",
        running("high", "database variable", "max_connections"),
    ),
    Tamper(
        "mariadb -e 'SET GLOBAL innodb_flush_log_at_trx_commit = 0'",
        running("high", "database variable", "innodb_flush_log_at_trx_commit"),
    ),
    Tamper(
        "mariadb -e 'SET GLOBAL init_connect = \"SET @password = 1\"'",
        running("high", "database variable", "init_connect"),
    ),
    Tamper(
        AS_REDIS_ADMIN.replace("%s", "CONFIG SET maxmemory-policy allkeys-lru"),
        running("high", "Redis setting", "askpro-production maxmemory-policy"),
    ),
    Tamper(
        AS_REDIS_ADMIN.replace("%s", "REPLICAOF 127.0.0.1 6379"),
        running("high", "Redis setting", "askpro-production replicaof"),
    ),
    Tamper(
        AS_REDIS_ADMIN.replace("%s", "ACL SETUSER default on nopass"),
        running("critical", "Redis user", "askpro-production default"),
    ),
    Tamper(
        AS_REDIS_ADMIN.replace("%s", "ACL DELUSER stagecraft"),
        running("critical", "Redis user", "askpro-production stagecraft"),
    ),
    Tamper(
        TOUCH_AND_REVERT.format(
            "/etc/redis/redis-askpro-production.conf", f"systemctl restart {REDIS}"
        ),
        running("high", "service", REDIS),
    ),
    Tamper(
        TOUCH_AND_REVERT.format(
            "/etc/nginx/sites-available/askpro-production.conf", "systemctl reload nginx"
        ),
        running("high", "service", "nginx.service"),
    ),
    Tamper(
        TOUCH_AND_REVERT.format("/etc/nginx/sites-available/askpro-staging.conf", "true"),
        running("high", "service", "nginx.service"),
    ),
    Tamper(
        "cp -p /etc/nginx/mime.types /root/before; echo 'types {' >> /etc/nginx/mime.types;"
        " ! systemctl reload nginx; mv /root/before /etc/nginx/mime.types",
        running("high", "service", "nginx.service"),
    ),
    Tamper(
        TOUCH_AND_REVERT.format(
            "/etc/php/8.4/fpm/askpro-production/90-stagecraft.ini", f"systemctl reload {FPM}"
        ),
        running("high", "service", FPM),
    ),
    Tamper(
        TOUCH_AND_REVERT.format("/etc/php/8.4/mods-available/redis.ini", "true"),
        running("high", "service", FPM),
        f"systemctl reload {FPM} php-fpm@askpro-staging",
    ),
    Tamper(
        TOUCH_AND_REVERT.format(
            "/etc/mysql/mariadb.conf.d/90-stagecraft.cnf", "systemctl restart mariadb"
        ),
        running("high", "service", "mariadb.service"),
    ),
    Tamper(
        TOUCH_AND_REVERT.format("/etc/ssh/sshd_config", "systemctl reload ssh"),
        running("high", "service", "ssh.service"),
    ),
    Tamper(
        "nft insert rule inet stagecraft input tcp dport 3306 accept",
        running("critical", "firewall", "chain input: tcp dport 3306 accept"),
    ),
    Tamper(
        "nft chain inet stagecraft input '{ policy accept; }'",
        running("critical", "firewall", "chain input: policy"),
    ),
    Tamper(
        "nft delete rule inet stagecraft input handle $(nft -a list chain inet stagecraft input |"
        " sed -n 's/.*ct state invalid drop # handle //p')",
        running("critical", "firewall", "chain input: ct state invalid drop"),
    ),
    Tamper(
        "nft delete table inet stagecraft",
        running("critical", "firewall", "inet stagecraft"),
    ),
    Tamper(
        "sysctl -qw net.ipv4.conf.all.accept_redirects=1",
        running("high", "kernel setting", "net.ipv4.conf.all.accept_redirects"),
    ),
    Tamper(
        f"touch /boot/vmlinuz-{NEWER_KERNEL}",
        running("low", "kernel", NEWER_KERNEL),
        "rm /boot/vmlinuz-*",
    ),
    Tamper(
        "systemctl set-property --runtime nginx.service MemoryMax=1G",
        running("high", "unit override", "nginx.service"),
    ),
    Tamper(
        "touch /usr/lib/systemd/system/logrotate.service",
        running("high", "unit", "logrotate.service"),
    ),
    Tamper(
        TOUCH_AND_REVERT.format(
            "/etc/systemd/system/php-fpm@askpro-production.service", "systemctl daemon-reload"
        ),
        running("high", "service", FPM),
    ),
    Tamper(
        "NEEDRESTART_SUSPEND=1 SYSTEMD_OFFLINE=1 apt-get install -q -y --reinstall redis-tools &&"
        " systemctl restart redis-server@askpro-staging",
        running("high", "replaced files", REDIS),
    ),
]


@pytest.mark.parametrize("tamper", TAMPERS, ids=[tamper.name for tamper in TAMPERS])
def test_it_is_found_alone(guarded: Guarded, tamper: Tamper) -> None:
    expect_alone(guarded, tamper)


def test_nothing_is_left_of_it(guarded: Guarded) -> None:
    for environment in ("staging", "production"):
        assert guarded.check(environment).findings == []
