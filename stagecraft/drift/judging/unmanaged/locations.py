"""What kind of file is at a path, and how bad an undeclared one is."""

import re
import shlex
from dataclasses import dataclass
from functools import cache

from stagecraft.drift.findings import Severity
from stagecraft.engines import ENGINES
from stagecraft.facts.unpackaged import UnpackagedFile
from stagecraft.paths import APPS
from stagecraft.services import RUN_BY_US

FILE, UNIT, TIMER, MASK = "file", "unit", "timer", "masked unit"
CERTIFICATE, SETUID, UNPRINTABLE = "certificate", "setuid program", "unprintable name"
START_UP, LIBRARY, BOOT_FILE, HOOK = "shell start-up", "library", "boot file", "hook"
OPEN = "open directory"

AREAS = {
    "vhosts": {"vhost", "nginx module"},
    "FPM pools": {"FPM pool", "PHP settings"},
    "Redis instances": {"Redis instance"},
    "cron jobs": {"cron job", "crontab", "at job"},
    "units": {UNIT, TIMER, "unit override", MASK, "lingering user", "start script"},
    "certificates": {CERTIFICATE, "key of a certificate", "certbot hook"},
    "site directories": {"site directory"},
    "rights": {
        *("sudo rules", "sshd settings", "PAM rules", "preloaded library"),
        *(SETUID, UNPRINTABLE, START_UP),
    },
    "archives": {"apt key", "apt pin"},  # apt knows more sources than their files
    "programs": {"program", "software", LIBRARY, BOOT_FILE, HOOK},
    "other files": {"database settings", OPEN, FILE},
}
"""The kinds of files that each area reports."""

OF_THE_MACHINE = {
    *(MASK, "lingering user", "start script", "sudo rules", "sshd settings", "PAM rules"),
    *("apt key", "apt pin", "program", "database settings", FILE),
    *(START_UP, LIBRARY, BOOT_FILE, HOOK, OPEN, "software"),
}
"""The kinds that are not checked if `host` is not declared."""

FROM_IMAGES = {
    *("nginx module", UNIT, TIMER, "unit override", MASK, "lingering user", "start script"),
    *("certbot hook", "software", OPEN, "apt pin", "program"),
    *(LIBRARY, BOOT_FILE, HOOK, START_UP, FILE),
}
"""The kinds that are accepted from the provider's image; others can give access, so they are always
reported."""


@dataclass(frozen=True)
class Files:
    """Where files of a kind are. The first group of `pattern`, or else the path, is the thing's
    name. `remedy` is formatted with `{path}` and `{thing}`; `refresh`, with `{thing}`, makes
    services reload such files."""

    kind: str
    severity: Severity
    pattern: str
    remedy: str = "rm {path}"
    refresh: str = ""

    def thing(self, path: str) -> str | None:
        """The name of the file's thing; None for a file elsewhere."""
        match = re.fullmatch(self.pattern, path)
        return next((group for group in match.groups() if group), path) if match else None


UNITS = (
    r"(?:/etc|/usr/local/lib|/usr/lib|/run)/systemd/(?:system(?:\.control|\.attached)?|transient)"
)
UNIT_NAME = r"[^/]+\.(?:service|socket|path|mount|automount|swap|target|slice)"

# Without --no-reload, `systemctl disable` would make systemd load all changed units.
DISABLE = "systemctl disable --now --no-reload {thing}; rm -f {path}"
FORGET = "systemctl daemon-reload"
NGINX = "nginx -t && systemctl reload nginx"
PHP = "systemctl try-reload-or-restart 'php*-fpm*.service'"
APT = "apt-get update"

COPIES = {
    r"/etc/profile": "/usr/share/base-files/profile",
    r"/root/\.bashrc": "/usr/share/base-files/dot.bashrc",
    r"/root/\.profile": "/usr/share/base-files/dot.profile",
    r"/etc/inputrc": "/usr/share/readline/inputrc",
}
"""Packages' originals of files that their scripts create, and that everybody's shell reads."""

ASIDE = 'mv {path} "$(mktemp -d /root/found.XXXXXX)"'
"""In a directory of its own: a hidden file in root's home could be one that a shell reads."""

IN_A_HOME = Files("site directory", Severity.HIGH, rf"{APPS}/[^/]+/(?:shared/)?[^/]+", ASIDE)

LOCATIONS = (
    Files("nginx module", Severity.CRITICAL,
             r"/etc/nginx/modules-enabled/(.+)|/usr/share/nginx/modules-available/.+",
             refresh="nginx -t && systemctl restart nginx"),
    Files("vhost", Severity.HIGH, r"/etc/nginx/(?:sites-enabled|conf\.d)/.+", refresh=NGINX),
    Files(FILE, Severity.LOW, r"/etc/nginx/.+", refresh=NGINX),
    Files("FPM pool", Severity.HIGH, r"/etc/php/[^/]+/fpm/pool\.d/.+", refresh=PHP),
    Files("PHP settings", Severity.HIGH, r"/etc/php/.+", refresh=PHP),
    *(Files("database settings", Severity.HIGH, engine.files,
               refresh=f"systemctl restart {engine.alias}") for engine in ENGINES.values()),
    Files("Redis instance", Severity.HIGH, r"/etc/redis/redis-([^/]+)\.(?:conf|acl)",
             "systemctl disable --now --no-reload redis-server@{thing};"
             " rm /etc/redis/redis-{thing}.*", FORGET),
    Files("Redis instance", Severity.HIGH, rf"{UNITS}/.+/redis-server@(.+)\.service",
             "systemctl disable --now --no-reload redis-server@{thing}; rm -f {path}", FORGET),
    Files("cron job", Severity.CRITICAL, r"/etc/cron\.(?:d|hourly|daily|weekly|monthly|yearly)/.+"),
    Files("crontab", Severity.CRITICAL, r"/var/spool/cron/crontabs/(root)"),
    Files("crontab", Severity.HIGH, r"/var/spool/cron/crontabs/(.+)"),
    Files("at job", Severity.CRITICAL, r"/var/spool/cron/atjobs/(a.+)"),
    Files("unit override", Severity.CRITICAL, rf"{UNITS}/({RUN_BY_US})\.d/[^/]+\.conf",
             refresh=f"{FORGET} && systemctl try-restart {{thing}}"),
    Files("unit override", Severity.CRITICAL, rf"{UNITS}/([^/]+)\.d/[^/]+\.conf", refresh=FORGET),
    Files(TIMER, Severity.CRITICAL, rf"{UNITS}/(?:.+/)?([^/]+\.timer)", DISABLE, FORGET),
    Files(UNIT, Severity.CRITICAL, rf"{UNITS}/(?:.+/)?({UNIT_NAME})", DISABLE, FORGET),
    Files(UNIT, Severity.CRITICAL, r"(?:/root|/home/[^/]+)/\.(?:config|local/share)/systemd/.+"
             r"|/etc/systemd/user/.+|/usr/(?:local/)?(?:share|lib)/systemd/user/.+"),
    Files(UNIT, Severity.CRITICAL, r"/etc/systemd/(?:system|user)-generators/.+", refresh=FORGET),
    Files("lingering user", Severity.LOW, r"/var/lib/systemd/linger/(.+)"),
    Files("sudo rules", Severity.CRITICAL, r"/etc/sudoers\.d/.+"),
    Files("sshd settings", Severity.CRITICAL, r"/etc/ssh/sshd_config",
             "install -m 644 /usr/share/openssh/sshd_config {path}",
             "sshd -t && systemctl reload ssh"),
    Files("sshd settings", Severity.CRITICAL, r"/etc/ssh/sshd_config\.d/.+",
             refresh="sshd -t && systemctl reload ssh"),
    Files(HOOK, Severity.CRITICAL, r"/etc/fail2ban/.+", refresh="systemctl restart fail2ban"),
    Files(HOOK, Severity.CRITICAL, r"/etc/apt/apt\.conf(?:\.d/.+)?", refresh=APT),
    Files("apt source", Severity.CRITICAL, r"/etc/apt/sources\.list\.d/.+\.(?:list|sources)",
             refresh=APT),
    Files("apt key", Severity.CRITICAL, r"/etc/apt/trusted\.gpg(?:\.d/.+)?"),
    Files("apt key", Severity.LOW, r"/(?:etc/apt|usr/share)/keyrings/.+"),
    Files("apt pin", Severity.LOW, r"/etc/apt/preferences(?:\.d/.+)?"),
    Files(CERTIFICATE, Severity.LOW, r"/etc/letsencrypt/(?:live/([^/]+)|renewal/(.+)\.conf)",
             "certbot delete --cert-name {thing}"),
    Files("site directory", Severity.LOW, rf"{APPS}/[^/]+", ASIDE),
    IN_A_HOME,
    Files("preloaded library", Severity.CRITICAL, r"/etc/ld\.so\.preload"),
    Files("start script", Severity.CRITICAL,
             r"/etc/rc\.local|/etc/init\.d/.+|/etc/network/if-.+\.d/.+"),
    Files("PAM rules", Severity.CRITICAL, r"/etc/pam\.d/common-.+",
             "rm {path} && DEBIAN_FRONTEND=noninteractive pam-auth-update --package --force"),
    Files("PAM rules", Severity.CRITICAL, r"/etc/(?:pam\.d|pam\.conf|security)/.+"),
    *(Files(START_UP, Severity.CRITICAL, copy, f"install -m 644 {original} {{path}}")
      for copy, original in COPIES.items()),
    *(Files(START_UP, Severity.CRITICAL, rf"/home/([^/]+)/\.{name}",
               f"install -o {{thing}} -g {{thing}} -m 644 /etc/skel/.{name} {{path}}")
      for name in ("bashrc", "profile", "bash_logout")),
    Files(START_UP, Severity.CRITICAL, r"/etc/(?:environment|hosts\.allow|hosts\.deny)",
             "sed -i '/^ *#/!d' {path}"),
    Files(START_UP, Severity.CRITICAL,
             r"/etc/(?:profile\.d|skel|zsh|fish)/.+|/etc/(?:bash\.bashrc|zshenv|csh\.[a-z]+).*"
             r"|(?:/root|/home/[^/]+)/\.(?:bash|profile|zsh|login|logout|pam_env|inputrc|x).*"
             r"|(?:/root|/home/[^/]+)/\.(?:ssh|config|local|gnupg|vim|git).*"),
    Files(LIBRARY, Severity.CRITICAL,
             r"/usr/(?:local/)?lib(?:32|64|x32)?/.+|/var/lib/.+\.so|/usr/share/(?:perl5?|python3?|php)/.+"
             r"|/usr/local/share/(?:perl|python).*/.+|/etc/(?:ld\.so\.conf|perl|python3).*",
             refresh=""),
    Files(BOOT_FILE, Severity.CRITICAL,
             r"/boot/.+|/etc/(?:initramfs-tools|grub\.d|kernel|dracut|udev|modules-load\.d"
             r"|modprobe\.d|depmod\.d|binfmt\.d|tmpfiles\.d|sysusers\.d)/.+"
             r"|/etc/(?:modules|default/grub.*|inittab)"),
    Files(HOOK, Severity.CRITICAL,
             r"/etc/(?:dpkg|needrestart|logrotate\.d|update-motd\.d|dhcp|ppp|dbus-1|polkit-1|acpi"
             r"|NetworkManager|networkd-dispatcher|xdg|ca-certificates|resolvconf|systemd)/.+"
             r"|/usr/share/(?:dbus-1|polkit-1)/.+"),
    Files("certbot hook", Severity.CRITICAL, r"/etc/letsencrypt/renewal-hooks/.+"),
    Files("program", Severity.HIGH, r"/usr/(?:local/)?(?:s?bin|games|libexec)/.+"),
    Files("key of a certificate", Severity.HIGH, r".+/privkey[^/]*\.pem", "chmod 600 {path}"),
    Files("software", Severity.LOW, r"/(?:opt|srv)/[^/]+", ASIDE),
    Files("program", Severity.LOW, r"/(?:tmp|var/tmp|dev/shm)/.+"),
    Files(FILE, Severity.LOW, r"/.+"),
)  # fmt: skip

A_THING = re.compile(rf"(?:{APPS}|/opt|/srv|/etc/letsencrypt/live)/")
"""Directories that are listed whoever owns them."""

UNPRINTABLE_NAME = Files(
    UNPRINTABLE, Severity.CRITICAL, r"(?s:/.+)", r"printf '%b\0' {path} | xargs -0 rm --"
)
SETUID_FILE = Files(SETUID, Severity.CRITICAL, r"/.+")
OPEN_DIRECTORY = Files(
    OPEN, Severity.CRITICAL, r"/.+", "chown root:root {path} && chmod go-w {path}"
)
MASKED = Files(MASK, Severity.LOW, rf"{UNITS}/([^/]+)", "systemctl unmask {thing}")


@cache
def location_of(file: UnpackagedFile) -> Files:
    """The first location that matches; before that, unprintable names and setuid files."""
    if not file.printable:
        return UNPRINTABLE_NAME
    if file.setuid:
        return SETUID_FILE
    if file.kind == "directory" and not A_THING.match(file.path):
        return OPEN_DIRECTORY
    if file.target == "/dev/null" and MASKED.thing(file.path):
        return MASKED
    return next(location for location in LOCATIONS if location.thing(file.path))


def refresh_of(path: str) -> str:
    """The command that makes services reload the file; empty if none keeps it loaded."""
    location = location_of(UnpackagedFile(path))
    return location.refresh.format(thing=shlex.quote(location.thing(path) or path))
