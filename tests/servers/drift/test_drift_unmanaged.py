"""What somebody adds to a server behind the project's back, each change found and nothing else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from provisioned import bound
from tampering import Finder, Guarded, Tamper, expect_alone, in_rounds

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


def listening(address: str, severity: str, thing: str, called: str = "perl") -> Tamper:
    """A program that root starts from a shell and leaves running."""
    open_port = f'IO::Socket::INET->new(LocalAddr => "{address}", Listen => 1)'
    program = f'$0 = "{called}"; $s = {open_port} or die; sleep 600'
    port = address.rpartition(":")[2]
    return Tamper(
        f"setsid -f perl -MIO::Socket::INET -e '{program}' >/dev/null 2>&1 </dev/null;"
        f" {bound(int(port))}",
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
    file("/etc/nginx/sites-enabled/shop.dpkg-old", "# by hand", "high", "vhost"),
    file("/etc/nginx/modules-enabled/x.conf", "# by hand", "critical", "nginx module", "x.conf"),
    file("/etc/php/8.4/fpm/pool.d/shop.conf", "[shop]", "high", "FPM pool"),
    file("/etc/php/8.4/fpm/conf.d/99-local.ini", "memory_limit = 1G", "high", "PHP settings"),
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
        "CREATE DEFINER = askpro_production_migrator@localhost"
        " PROCEDURE askpro_production.peek() SELECT 1;"
        " GRANT EXECUTE ON PROCEDURE askpro_production.peek TO askpro_staging@localhost",
        "high", "database grant", "askpro_staging@localhost askpro_production.peek",
    ),
]  # fmt: skip

JOBS = [
    file("/etc/cron.d/backup", "0 4 * * * root true", "critical", "cron job"),
    file("/etc/cron.daily/report", "#!/bin/sh", "critical", "cron job", mode="755"),
    file("/var/spool/cron/crontabs/deploy", "* * * * * true", "high", "crontab", "deploy", "600"),
    Tamper(
        "printf '[Service]\\nExecStart=true\\n' >/etc/systemd/system/sync.service"
        " && printf '[Timer]\\nOnCalendar=daily\\n[Install]\\nWantedBy=timers.target\\n'"
        " >/etc/systemd/system/sync.timer && systemctl enable --now sync.timer",
        unmanaged("critical", "timer", "sync.timer"),
    ),
    Tamper(
        "printf '[Service]\\nExecStart=sleep infinity\\n[Install]\\nWantedBy=multi-user.target\\n'"
        " >/etc/systemd/system/miner.service && systemctl enable --now miner",
        unmanaged("critical", "unit", "miner.service"),
    ),
    Tamper(
        "printf '[Service]\\nProtectSystem=no\\n' | SYSTEMD_EDITOR='tee' systemctl edit --stdin"
        " php-fpm@askpro-staging.service",
        unmanaged("critical", "unit override", "php-fpm@askpro-staging.service"),
    ),
    Tamper(
        "systemctl enable nftables.service",
        unmanaged("critical", "unit", "nftables.service"),
    ),
    Tamper(
        "systemctl mask fstrim.timer",
        unmanaged("low", "masked unit", "fstrim.timer"),
    ),
    Tamper(
        "touch /var/lib/systemd/linger/deploy",
        unmanaged("low", "lingering user", "deploy"),
    ),
    file("/etc/rc.local", "#!/bin/sh", "critical", "start script", mode="755"),
]  # fmt: skip

NETWORK = [
    listening("0.0.0.0:8081", "critical", "8081/tcp"),
    listening("127.0.0.1:8082", "critical", "8082/tcp"),
    listening("0.0.0.0:5355", "critical", "5355/tcp", called="systemd-resolve"),
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
        "setsid -f setpriv --reuid www-data --regid www-data --clear-groups bash -c"
        " 'exec -a \"nginx: worker process\" sleep 600' >/dev/null 2>&1 </dev/null; sleep 0.5",
        unmanaged("high", "process as www-data", "nginx:"),
        "pkill -u www-data -x sleep",
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
        unmanaged("critical", "sshd settings", SSHD),
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
    file("/etc/apt/trusted.gpg.d/tools.asc", "a key", "critical", "apt key"),
    file("/etc/apt/preferences.d/sid", "Package: *", "low", "apt pin"),
    file("/etc/apt/apt.conf.d/99proxy", "// by hand", "critical", "hook"),
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
        "echo 'memory_limit = 1G' >>/etc/php/8.4/fpm/php.ini",
        unmanaged("high", "package file", "/etc/php/8.4/fpm/php.ini"),
    ),
    Tamper(
        "echo 'LogLevel QUIET' >>/etc/ssh/sshd_config",
        unmanaged("high", "package file", "/etc/ssh/sshd_config"),
    ),
    Tamper(
        "rm /etc/apt/apt.conf.d/50unattended-upgrades",
        unmanaged("low", "package file", "/etc/apt/apt.conf.d/50unattended-upgrades"),
    ),
    Tamper(
        "rm /etc/redis/redis.conf && mkdir -p /etc/redis/redis.conf/sub",
        unmanaged("low", "package file", "/etc/redis/redis.conf"),
    ),
    Tamper(
        "printf 'x' >>/usr/bin/wall",
        unmanaged("critical", "package file", "/usr/bin/wall"),
    ),
]  # fmt: skip

FILES = [
    file("/etc/ld.so.preload", "", "critical", "preloaded library"),
    file("/var/spool/cron/atjobs/a0000101a", "#!/bin/sh", "critical", "at job", "a0000101a"),
    file(
        "/etc/profile.d/proxy.sh",
        "export http_proxy=http://proxy.test",
        "critical",
        "shell start-up",
    ),
    file("/etc/fail2ban/jail.d/local.local", "[DEFAULT]", "critical", "hook"),
    file("/etc/mysql/conf.d/local.cnf", "[mysqld]", "high", "database settings"),
    file("/etc/sysctl.d/99-local.conf", "vm.overcommit_memory = 1", "low", "file"),
    file("/etc/logrotate.d/app", "/var/log/app.log {}", "critical", "hook"),
    file("/usr/local/bin/deploy.sh", "#!/bin/sh", "high", "program", mode="755"),
]

FORGERY = r"/dev/shm/a\n0\n\tf\t4755\troot:root\t1\t"
"""A directory whose name would be another record wherever lines or tabs divide them."""

ENABLED = "/var/lib/systemd/deb-systemd-helper-enabled"

HIDING = [
    Tamper(
        "printf '[Service]\\nExecStart=true\\n' >/etc/systemd/system/miner.service"
        f" && touch {ENABLED}/miner.service",
        unmanaged("critical", "unit", "miner.service"),
        f"rm /etc/systemd/system/miner.service {ENABLED}/miner.service",
    ),
    Tamper(
        "printf '# x\\n' >/etc/cron.d/sync"
        " && printf 'cron /etc/cron.d/sync\\n' >>/var/lib/ucf/registry"
        ' && echo "$(md5sum /etc/cron.d/sync)" >>/var/lib/ucf/hashfile',
        unmanaged("critical", "cron job", "/etc/cron.d/sync"),
        "rm /etc/cron.d/sync; sed -i '$d' /var/lib/ucf/registry /var/lib/ucf/hashfile",
    ),
    Tamper(
        "printf '# x\\n' >/etc/alternatives/x && ln -s /etc/alternatives/x /etc/sudoers.d/x",
        unmanaged("critical", "sudo rules", "/etc/sudoers.d/x"),
        "rm /etc/alternatives/x /etc/sudoers.d/x",
    ),
    Tamper(
        "ln -sf /dev/shm/x /etc/alternatives/pager",
        unmanaged("low", "file", "/etc/alternatives/pager"),
        "update-alternatives --auto pager",
    ),
    Tamper(
        "mkdir -p /root/.local/share/systemd/user"
        " && printf '[Service]\\nExecStart=true\\n' >/root/.local/share/systemd/user/x.service",
        unmanaged("critical", "unit", "/root/.local/share/systemd/user/x.service"),
    ),
    Tamper(
        "nft add table inet f2b-table; nft 'add chain inet f2b-table f2b-chain"
        " { type nat hook prerouting priority -100; }'"
        " && nft add rule inet f2b-table f2b-chain tcp dport 8999 redirect to :22",
        unmanaged("high", "firewall table", "inet f2b-table"),
    ),
    Tamper(
        "mariadb -e \"CREATE USER ghost@'%'; DELETE FROM mysql.global_priv WHERE User = 'ghost'\"",
        unmanaged("high", "database account", "ghost@%"),
    ),
    Tamper(
        f"d=$(printf '{FORGERY}') && mkdir -p \"$d\"/etc/cron.d"
        ' && cp /usr/bin/true "$d/etc/cron.d/x" && chmod 4755 "$d/etc/cron.d/x"',
        unmanaged("critical", "unprintable name", f"{FORGERY}/etc/cron.d/x"),
        "rm -r /dev/shm/a*",
    ),
    Tamper(
        "printf 'x' >\"$(printf '/etc/cron.d/.\\377\\nplaceholder\\t')\"",
        unmanaged("critical", "unprintable name", r"/etc/cron.d/.\xff\nplaceholder\t"),
    ),
    listening("0.0.0.0:8083", "critical", "8083/tcp", called=r"sshd\t1"),
]

PLACEHOLDER = "/var/www/askpro-production/releases/placeholder/public"
STORAGE = "/var/www/askpro-production/shared/storage"
RIGHTS = "rights of a package's file"

WHEREVER = [
    Tamper("chmod 4755 /usr/bin/find", unmanaged("critical", RIGHTS, "/usr/bin/find")),
    Tamper("chmod o+w /etc/adduser.conf", unmanaged("critical", RIGHTS, "/etc/adduser.conf")),
    Tamper("chown games /usr/bin/yes", unmanaged("critical", RIGHTS, "/usr/bin/yes")),
    Tamper("setfacl -m u:www-data:r /etc/login.defs",
           unmanaged("critical", RIGHTS, "/etc/login.defs")),
    Tamper("chmod 755 /root", unmanaged("critical", RIGHTS, "/root")),
    Tamper("python3 -c 'import os; os.setxattr(\"/usr/bin/tac\", \"user.stage\", b\"x\")'",
           unmanaged("critical", RIGHTS, "/usr/bin/tac")),
    Tamper("python3 -c 'import os; os.setxattr(\"/usr/bin/nl\", \"security.capability\","
           " bytes.fromhex(\"0100000280000000000000000000000000000000\"))'",
           unmanaged("critical", RIGHTS, "/usr/bin/nl")),
    Tamper("rm /usr/bin/captoinfo && cp /usr/bin/yes /usr/bin/captoinfo",
           unmanaged("critical", RIGHTS, "/usr/bin/captoinfo")),
    Tamper("echo '\"/x.log\" 2099-1-1-0:0:0' >>/var/lib/logrotate/status",
           unmanaged("high", "stamp ahead of time", "/var/lib/logrotate/status")),
    Tamper(f"touch {STORAGE}/../.env.old",
           unmanaged("high", "site directory", "/var/www/askpro-production/shared/.env.old")),
    Tamper(
        "dpkg-divert --quiet --local --rename --divert /usr/bin/w.real --add /usr/bin/w"
        " && printf '#!/bin/sh\\n' >/usr/bin/w",
        unmanaged("critical", "diversion", "/usr/bin/w"),
    ),
    Tamper("chmod 666 /etc/hosts", unmanaged("low", "file", "/etc/hosts")),
    Tamper(
        "printf 'UUID=1 /srv ext4 defaults 0 2\\n' >>/etc/fstab",
        unmanaged("low", "file", "/etc/fstab"),
        "sed -i '/^UUID=1 /d' /etc/fstab",
    ),
    Tamper(
        "printf 'LD_PRELOAD=/tmp/x.so\\n' >>/etc/environment",
        unmanaged("critical", "shell start-up", "/etc/environment"),
    ),
    Tamper("printf 'alias ls=x\\n' >>/root/.bashrc",
           unmanaged("critical", "shell start-up", "/root/.bashrc")),
    Tamper(
        "printf 'auth sufficient pam_exec.so /tmp/x\\n' >>/etc/pam.d/common-auth",
        unmanaged("critical", "PAM rules", "/etc/pam.d/common-auth"),
    ),
    file("/usr/lib/python3/dist-packages/sitecustomize.py", "import os", "critical", "library"),
    file("/etc/ld.so.conf.d/0.conf", "/tmp", "critical", "library"),
    file("/etc/udev/rules.d/9.rules", "# x", "critical", "boot file"),
    file("/etc/dpkg/dpkg.cfg.d/9", "# x", "critical", "hook"),
    file("/var/tmp/.x/miner", "#!/bin/sh", "low", "program", mode="755"),
    Tamper("mkdir -m 777 /usr/local/lib/x", unmanaged("critical", "open directory",
           "/usr/local/lib/x"), "rmdir /usr/local/lib/x"),
    Tamper("mkdir -p /srv/tool && touch /srv/tool/a", unmanaged("low", "software", "/srv/tool"),
           "rm -r /srv/tool"),
    file(f"{PLACEHOLDER}/x.php", "<?php", "high", "released file"),
    file(f"{STORAGE}/app/x.php", "<?php", "high", "program in the storage"),
    Tamper(f"ln -s /etc {STORAGE}/app/etc",
           unmanaged("high", "program in the storage", f"{STORAGE}/app/etc")),
]  # fmt: skip
"""In places, and of kinds, that no list names."""

TAMPERS = [*WHEREVER, *WEB, *DATABASES, *JOBS, *NETWORK, *ACCESS, *PACKAGES, *FILES, *HIDING]


ON_BOOKWORM = [
    *(DATABASES[1], JOBS[0], JOBS[4], ACCESS[0], ACCESS[7], PACKAGES[0], PACKAGES[8]),
    *HIDING,
]
"""What is read of something that Debian 12 has in another version or place."""


@pytest.mark.parametrize(("together", "tamper"), in_rounds(TAMPERS, "www-data sudo|bash www-data"))
def test_what_somebody_adds(find: Finder, together: tuple[Tamper, ...], tamper: Tamper) -> None:
    find(together).alone(tamper)


@pytest.mark.parametrize(("together", "tamper"), in_rounds(ON_BOOKWORM))
def test_what_somebody_adds_to_bookworm(
    find_12: Finder, together: tuple[Tamper, ...], tamper: Tamper
) -> None:
    find_12(together).alone(tamper)


def test_who_did_it_is_nobody_s_to_say(guarded: Guarded) -> None:
    expect_no_word_of_others(guarded)


def test_who_did_it_is_nobody_s_to_say_on_bookworm(guarded_12: Guarded) -> None:
    expect_no_word_of_others(guarded_12)


def expect_no_word_of_others(guarded: Guarded) -> None:
    """A page of the site tells the system's log that anna has written the file; then she does."""
    path = "/etc/cron.d/sync"
    said = f"  anna : TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/usr/bin/tee {path}"
    php = f'openlog("sudo", LOG_PID, LOG_AUTHPRIV); syslog(LOG_NOTICE, "{said}");'
    as_site = "setpriv --reuid askpro-production --regid askpro-production --clear-groups"
    guarded.shell(f"{as_site} php -r '{php}' && touch {path}")
    [found] = guarded.check().findings
    assert (found.thing, "sudo tee" in found.who) == (path, False)
    guarded.shell(f"su anna -s /bin/sh -c 'sudo -n rm {path} && sudo -n touch {path}'")
    [found] = guarded.check().findings
    guarded.shell(f"rm {path}")
    assert found.who == f"anna (sudo touch … {path})"


def test_no_record_on_the_server_hides_what_nobody_declared(
    guarded: Guarded, tmp_path: Path
) -> None:
    """Whoever has put the job there writes it into every manifest, and makes one of nobody's."""
    path, manifests = "/etc/cron.d/forged", "/var/lib/stagecraft/manifests"
    made = {"user": "root", "group": "root", "mode": "644", "value": "-"}
    lines = "".join(
        json.dumps({"site": site, "tree": "cron", "kind": "file", "path": path} | made) + "\\n"
        for site in ("", "forged")
    )
    guarded.shell(
        f"cp -a {manifests} /root/ && touch {path} && cd {manifests}"
        f" && for name in staging production qa; do printf '{lines}' >>$name; done"
        " && useradd --shell /bin/bash forged"
    )
    try:
        history = str(tmp_path / "drift.jsonl")
        ended = guarded.drift("--json", "--history", history, "production", "staging")
    finally:
        guarded.shell(f"userdel forged; rm -r {path} {manifests} && mv /root/manifests {manifests}")
    verdict = json.loads(ended.stdout)
    assert {(found["kind"], found["thing"]) for found in verdict["findings"]} == {
        ("account", "forged"),
        ("cron job", path),
        ("record", f"{manifests}/qa"),
    }
    assert (verdict["unknown"], verdict["believed"]) == ([], [])


def test_a_clash_keeps_a_run_from_the_server_and_the_check_from_nothing_else(
    guarded: Guarded,
) -> None:
    """With its record emptied, production has not made the certificate that bears its name."""
    record = "/var/lib/stagecraft/manifests/production"
    renewal = "/etc/letsencrypt/renewal"
    guarded.shell(
        f"cp -a {record} /root/record && : >{record}"
        f" && mkdir -p {renewal} && touch {renewal}/askpro-production.conf"
    )
    try:
        report = guarded.check()
    finally:
        guarded.shell(
            f"mv /root/record {record}; rm {renewal}/askpro-production.conf"
            f"; rmdir -p --ignore-fail-on-non-empty {renewal}"
        )
    assert [(gap.area, "conflicts with" in gap.reason) for gap in report.unchecked] == [
        ("managed", True)
    ]
    assert report.findings == []


def test_without_a_plan_nothing_is_to_be_removed(guarded: Guarded) -> None:
    """With its record emptied all of production looks as if nobody had declared it."""
    record = "/var/lib/stagecraft/manifests/production"
    deploy = guarded.project.directory / "deploy.py"
    target = deploy.readlink()
    guarded.shell(f"cp -a {record} /root/record && : >{record}")
    deploy.unlink()
    deploy.write_text("from stagecraft.errors import ServerError\n\nraise ServerError('no plan')\n")
    try:
        report = guarded.check()
    finally:
        deploy.unlink()
        deploy.symlink_to(target)
        guarded.shell(f"mv /root/record {record}")
    assert {"managed", "services"} <= {gap.area for gap in report.unchecked}
    remedies = {found.remedy for found in report.findings if found.class_ == "unmanaged"}
    assert remedies == {"# deploy.py cannot be planned: settle that first"}
    assert not guarded.check().findings


def test_nobody_adds_to_what_the_image_brought(guarded: Guarded) -> None:
    unit, record = "/etc/systemd/system/forged.service", "/var/lib/stagecraft/as-found"
    guarded.shell(
        f"cp -a {record} /root/ && printf 'file\\t{unit}\\npackage\\tlibgd3\\n' >>{record}"
        f" && printf '[Service]\\nExecStart=true\\n' >{unit} && apt-mark manual libgd3"
    )
    try:
        report = guarded.check()
    finally:
        guarded.shell(
            f"rm {unit} && systemctl daemon-reload && apt-mark auto libgd3"
            f" && mv /root/as-found {record}"
        )
    found = {(f.kind, f.thing, f.severity) for f in report.findings}
    assert {
        ("record", record, "critical"),
        ("unit", "forged.service", "critical"),
        ("package", "libgd3", "low"),
    } <= found


OLD_FIREWALL = Tamper(
    "iptables-legacy --policy FORWARD DROP && iptables-legacy --new-chain office"
    " && iptables-legacy --append office --protocol tcp --dport 25 --jump DROP",
    unmanaged("high", "firewall table", "legacy filter"),
)


def test_rules_of_the_old_iptables(guarded: Guarded) -> None:
    """Its tables stay when they are emptied; the program is in a package that no run installs."""
    guarded.shell("apt-get install -q -y --mark-auto iptables")
    try:
        expect_alone(guarded, OLD_FIREWALL)
        assert guarded.check().findings == []
    finally:
        guarded.shell("apt-get purge -q -y --autoremove iptables")
        guarded.server.reboot()  # without it nobody can tell that the tables are empty


def test_many_files_of_one_thing_are_told_as_one_with_one_command(guarded: Guarded) -> None:
    tools, lists = "/usr/local/lib/tools", "dpkg -L debianutils | grep ^/usr/bin/"
    guarded.shell(f"mkdir {tools}; cd {tools}; touch 1.so 2.so 3.so 4.so 5.so")
    guarded.shell(f"for path in $({lists}); do echo >>$path; done")
    said = guarded.drift("production").stdout
    for whole in (f"library in {tools}: 5 of them", "package file of the package debianutils:"):
        assert said.count(whole) == 1, said
    remedies = [line.split("put right ")[1] for line in said.splitlines() if "put right " in line]
    assert len(remedies) == 2, said
    for remedy in remedies:
        guarded.shell(remedy.replace("apt-get install", "apt-get install -q -y"))
    assert guarded.check().findings == []


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
