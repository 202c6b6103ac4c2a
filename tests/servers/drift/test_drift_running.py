"""What runs is not what is on disk."""

from __future__ import annotations

import platform
import re

import pytest
from tampering import Finder, Guarded, Tamper, expect_alone, in_rounds

from stagecraft.services import MAINTENANCE

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

ADD_AND_REMOVE = "echo '{1}' > {0} && {2}; sleep 3; rm {0}"
"""Loaded, and gone from the disk: the process alone has it still."""

SIGNAL = "kill -{} $(systemctl show --property=MainPID --value {})"
"""A reload that systemd hears nothing of."""

PREPENDED = "auto_prepend_file = /usr/share/php/PEAR.php"

REPLACE_WORKERS = (
    " && kill $(pgrep --parent $(systemctl show --property=MainPID --value {})); sleep 0.5"
)
"""The new ones run what the master has loaded long ago."""


OVER = "other=$(mktemp -d)/other && cp -a {0} $other && {1} && mount --bind $other {0}"
"""Hides what is at a path behind a changed copy of it."""


FAIL2BAN = (
    "for attempt in $(seq 50); do ! fail2ban-client status sshd || break; sleep 0.1; done;"
    " fail2ban-client {}"
)
"""It may have been restarted right before."""

DROPPED_IN = """
directory=/run/systemd/system/{0}.d
mkdir $directory && printf '[Service]\\n%s\\n' "{1}" >$directory/x.conf
cp $(readlink -f /usr/lib/*/libz.so.1) /root/x.so
systemctl daemon-reload && systemctl restart {0} && sleep 1
rm -r $directory /root/x.so && systemctl daemon-reload
"""
"""What a service has loaded once, it keeps."""


def mounted(severity: str, path: str, change: str, loaded: str = "true") -> Tamper:
    """What is loaded from it stays loaded when it is unmounted: the remedy must know."""
    return Tamper(f"{OVER.format(path, change)} && {loaded}", running(severity, "mount", path))


def running(severity: str, kind: str, thing: str) -> tuple[str, str, str, str]:
    return "running", severity, kind, thing


def loaded_and_removed(unit: str, text: str) -> Tamper:
    """A unit that somebody starts, and whose file is gone."""
    path = f"/run/systemd/system/{unit}"
    return Tamper(
        f"printf '{text}\\n' >{path} && systemctl start {unit} && rm {path}",
        running("high", "unit", unit),
    )


MOUNTS = [
    mounted(
        "critical",
        "/etc/nginx/conf.d/stagecraft.conf",
        "echo '# by hand' >>$other",
        "systemctl reload nginx",
    ),
    mounted(
        "critical",
        f"/etc/systemd/system/{FPM}",
        "sed -i '/^.Service/a Environment=LD_BIND_NOW=1' $other",
        f"systemctl daemon-reload && systemctl restart {FPM}",
    ),
    mounted(
        "critical",
        "/etc/php/8.4/fpm/askpro-production",
        f"echo '{PREPENDED}' >$other/99-debug.ini",
        f"systemctl reload {FPM}",
    ),
    mounted(
        "critical",
        "/etc/nginx/sites-enabled",
        "echo 'server { listen 80; server_name shop.test; }' >$other/shop",
        "systemctl reload nginx",
    ),
    Tamper(
        "mount -t tmpfs tmpfs /etc/fail2ban/jail.d && mount -t tmpfs tmpfs /etc/fail2ban/jail.d",
        running("critical", "mount", "/etc/fail2ban/jail.d"),
    ),
    Tamper(
        "mount -t tmpfs tmpfs /var/www/askpro-production/shared/storage/app/public",
        running("critical", "mount", "/var/www/askpro-production/shared/storage/app/public"),
    ),
    mounted(
        "high",
        "/etc/php/8.4/fpm/php.ini",
        f"echo '{PREPENDED}' >>$other",
        f"systemctl reload {FPM}",
    ),
    mounted("high", "/etc/redis/redis.conf", "echo >>$other"),
    Tamper("mount --bind /usr/bin/false /usr/bin/wall", running("high", "mount", "/usr/bin/wall")),
]

REMOVED = [
    loaded_and_removed("miner.service", "[Service]\\nExecStart=sleep infinity"),
    loaded_and_removed(
        "logrotate2.timer", "[Timer]\\nOnCalendar=minutely\\nUnit=logrotate.service"
    ),
]
"""The timer ends with what else has systemd read its units again."""

TAMPERS = [
    Tamper(
        "systemctl set-environment LD_PRELOAD=/dev/shm/x.so",
        running("high", "environment of all services", "LD_PRELOAD"),
    ),
    Tamper(
        DROPPED_IN.format("fail2ban.service", "Environment=LD_PRELOAD=/root/x.so"),
        running("critical", "loaded code", "fail2ban.service"),
    ),
    Tamper(
        DROPPED_IN.format("fail2ban.service", "Environment=PATH=/run/bin:/usr/bin:/usr/sbin"),
        running("critical", "loaded code", "fail2ban.service"),
    ),
    Tamper(
        "libz=$(readlink -f /usr/lib/*/libz.so.1) && cp $libz /root/libz.so"
        + DROPPED_IN.format("nginx.service", "BindReadOnlyPaths=/root/libz.so:$libz"),
        running("critical", "loaded code", "nginx.service"),
    ),
    Tamper(
        FAIL2BAN.format("set sshd addignoreip 192.0.2.7"),
        running("high", "jail", "sshd ignoreip"),
    ),
    Tamper(
        FAIL2BAN.format("set sshd action nftables actionban true"),
        running("high", "jail", "sshd action nftables actionban"),
    ),
    Tamper(FAIL2BAN.format("stop sshd"), running("high", "jail", "sshd")),
    Tamper(
        TOUCH_AND_REVERT.format("/etc/default/ssh", "systemctl restart ssh"),
        running("high", "service", "ssh.service"),
    ),
    Tamper(
        "mariadb -e 'SET GLOBAL max_connections = 10'",
        running("high", "database variable", "max_connections"),
    ),
    Tamper(
        "mariadb -e 'SET GLOBAL innodb_flush_log_at_trx_commit = 0'",
        running("high", "database variable", "innodb_flush_log_at_trx_commit"),
    ),
    Tamper(
        "mariadb -e 'SET GLOBAL slow_query_log_file = \"/tmp/slow.log\"'",
        running("high", "database variable", "slow_query_log_file"),
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
        AS_REDIS_ADMIN.replace("%s", "CONFIG SET slowlog-log-slower-than -1"),
        running("high", "Redis setting", "askpro-production slowlog-log-slower-than"),
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
        ADD_AND_REMOVE.format(
            "/etc/php/8.4/fpm/conf.d/99-debug.ini", PREPENDED, SIGNAL.format("USR2", FPM)
        )
        + REPLACE_WORKERS.format(FPM),
        running("high", "service", FPM),
        f"systemctl reload {FPM} php-fpm@askpro-staging",
    ),
    Tamper(
        ADD_AND_REMOVE.format(
            "/etc/nginx/sites-enabled/shop",
            "server { listen 80; server_name shop.test; }",
            SIGNAL.format("HUP", "nginx"),
        )
        + REPLACE_WORKERS.format("nginx"),
        running("high", "service", "nginx.service"),
    ),
    Tamper(
        ADD_AND_REMOVE.format(
            "/etc/mysql/mariadb.conf.d/99-debug.cnf",
            "[mariadbd]\nlog_warnings = 9",
            "systemctl restart mariadb",
        ),
        running("high", "service", "mariadb.service"),
    ),
    Tamper(
        ADD_AND_REMOVE.format(
            "/etc/fail2ban/action.d/debug.local", "[Definition]", "systemctl restart fail2ban"
        ),
        running("high", "service", "fail2ban.service"),
    ),
    Tamper(
        ADD_AND_REMOVE.format(
            "/etc/ssh/sshd_config.d/99-debug.conf", "LogLevel DEBUG", SIGNAL.format("HUP", "ssh")
        ),
        running("high", "service", "ssh.service"),
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
        ("unmanaged", "critical", "boot file", f"/boot/vmlinuz-{NEWER_KERNEL}"),
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
    *MOUNTS,
    Tamper(
        f"mkdir {MAINTENANCE}/askpro-production && touch {MAINTENANCE}/askpro-production/closed",
        running("critical", "closed site", "askpro-production"),
    ),
    Tamper(
        f"mkdir {MAINTENANCE}/askpro-live && touch {MAINTENANCE}/askpro-live/closed",
        ("unmanaged", "high", "file", f"{MAINTENANCE}/askpro-live"),
    ),
    Tamper(
        f"chmod 777 {MAINTENANCE}",
        ("managed", "high", "directory", MAINTENANCE),
    ),
]

APART = (
    "nginx",
    "php-fpm@",
    "redis",
    "mariadb",
    "fail2ban",
    "ssh",
    "inet stagecraft",
    "logrotate",
)
"""A restart of a service ends what else was made of it."""

IN_ROUNDS = [*in_rounds(REMOVED), *in_rounds(TAMPERS, *APART)]


@pytest.mark.parametrize(("together", "tamper"), IN_ROUNDS)
def test_it_is_found_alone(find: Finder, together: tuple[Tamper, ...], tamper: Tamper) -> None:
    find(together).alone(tamper)


ON_BOOKWORM = [
    tamper
    for tamper in TAMPERS
    if "sites-enabled/shop" in tamper.change or "actionban" in tamper.change
]
"""What an older nginx and an older fail2ban must tell as well."""


@pytest.mark.parametrize("tamper", ON_BOOKWORM, ids=lambda tamper: tamper.name)
def test_it_is_found_on_bookworm(guarded_12: Guarded, tamper: Tamper) -> None:
    expect_alone(guarded_12, tamper)


def test_nothing_is_left_of_it(guarded: Guarded) -> None:
    for environment in ("staging", "production"):
        assert guarded.check(environment).findings == []
