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

AREAS = {
    "vhosts": {"vhost", "nginx module"},
    "FPM pools": {"FPM pool", "PHP settings"},
    "Redis instances": {"Redis instance"},
    "cron jobs": {"cron job", "crontab", "at job"},
    "units": {UNIT, TIMER, "unit override", MASK, "lingering user", "start script"},
    "certificates": {CERTIFICATE},
    "site directories": {"site directory"},
    "rights": {
        *("sudo rules", "sshd settings", "PAM rules", "preloaded library"),
        *(SETUID, UNPRINTABLE),
    },
    "archives": {"apt key", "apt pin"},  # apt knows more sources than their files
    "other files": {"program", "database settings", FILE},
}
"""The kinds of files that each area reports."""

OF_THE_MACHINE = {
    *(MASK, "lingering user", "start script", "sudo rules", "sshd settings", "PAM rules"),
    *("apt key", "apt pin", "program", "database settings", FILE),
}
"""The kinds that are not checked if `host` is not declared."""

FROM_IMAGES = {
    *("nginx module", UNIT, TIMER, "unit override", MASK, "lingering user", "start script"),
    *("apt pin", "program", FILE),
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

LOCATIONS = (
    Files("nginx module", Severity.HIGH,
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
    Files("cron job", Severity.HIGH, r"/etc/cron\.(?:d|hourly|daily|weekly|monthly|yearly)/.+"),
    Files("crontab", Severity.HIGH, r"/var/spool/cron/crontabs/(.+)"),
    Files("at job", Severity.HIGH, r"/var/spool/cron/atjobs/(a.+)"),
    Files("unit override", Severity.HIGH, rf"{UNITS}/({RUN_BY_US})\.d/[^/]+\.conf",
             refresh=f"{FORGET} && systemctl try-restart {{thing}}"),
    Files("unit override", Severity.HIGH, rf"{UNITS}/([^/]+)\.d/[^/]+\.conf", refresh=FORGET),
    Files(TIMER, Severity.HIGH, rf"{UNITS}/(?:.+/)?([^/]+\.timer)", DISABLE, FORGET),
    Files(UNIT, Severity.HIGH, rf"{UNITS}/(?:.+/)?({UNIT_NAME})", DISABLE, FORGET),
    Files(UNIT, Severity.HIGH, r"(?:/root|/home/[^/]+)/\.(?:config|local/share)/systemd/.+"
             r"|/etc/systemd/user/.+|/usr/(?:local/)?(?:share|lib)/systemd/user/.+"),
    Files(UNIT, Severity.HIGH, r"/etc/systemd/(?:system|user)-generators/.+", refresh=FORGET),
    Files("lingering user", Severity.LOW, r"/var/lib/systemd/linger/(.+)"),
    Files("sudo rules", Severity.CRITICAL, r"/etc/sudoers\.d/.+"),
    Files("sshd settings", Severity.HIGH, r"/etc/ssh/sshd_config",
             "install -m 644 /usr/share/openssh/sshd_config {path}",
             "sshd -t && systemctl reload ssh"),
    Files("sshd settings", Severity.HIGH, r"/etc/ssh/sshd_config\.d/.+",
             refresh="sshd -t && systemctl reload ssh"),
    Files(FILE, Severity.HIGH, r"/etc/fail2ban/.+", refresh="systemctl restart fail2ban"),
    Files(FILE, Severity.HIGH, r"/etc/apt/apt\.conf(?:\.d/.+)?", refresh=APT),
    Files("apt source", Severity.HIGH, r"/etc/apt/sources\.list\.d/.+\.(?:list|sources)",
             refresh=APT),
    Files("apt key", Severity.HIGH, r"/etc/apt/trusted\.gpg(?:\.d/.+)?"),
    Files("apt key", Severity.LOW, r"/(?:etc/apt|usr/share)/keyrings/.+"),
    Files("apt pin", Severity.LOW, r"/etc/apt/preferences(?:\.d/.+)?"),
    Files(CERTIFICATE, Severity.LOW, r"/etc/letsencrypt/(?:live/([^/]+)|renewal/(.+)\.conf)",
             "certbot delete --cert-name {thing}"),
    Files("site directory", Severity.LOW, rf"{APPS}/[^/]+", "mv {path} /root/"),
    Files("preloaded library", Severity.CRITICAL, r"/etc/ld\.so\.preload"),
    Files("start script", Severity.HIGH,
             r"/etc/rc\.local|/etc/init\.d/.+|/etc/network/if-.+\.d/.+"),
    Files("PAM rules", Severity.CRITICAL, r"/etc/pam\.d/.+"),
    Files("program", Severity.LOW, r"/usr/(?:local/)?s?bin/.+"),
    Files(FILE, Severity.LOW, r"/.+"),
)  # fmt: skip

UNPRINTABLE_NAME = Files(
    UNPRINTABLE, Severity.CRITICAL, r"(?s:/.+)", r"printf '%b\0' {path} | xargs -0 rm --"
)
SETUID_FILE = Files(SETUID, Severity.CRITICAL, r"/.+")
MASKED = Files(MASK, Severity.LOW, rf"{UNITS}/([^/]+)", "systemctl unmask {thing}")


@cache
def location_of(file: UnpackagedFile) -> Files:
    """The first location that matches; before that, unprintable names and setuid files."""
    if not file.printable:
        return UNPRINTABLE_NAME
    if file.setuid:
        return SETUID_FILE
    if file.target == "/dev/null" and MASKED.thing(file.path):
        return MASKED
    return next(location for location in LOCATIONS if location.thing(file.path))


def refresh_of(path: str) -> str:
    """The command that makes services reload the file; empty if none keeps it loaded."""
    location = location_of(UnpackagedFile(path))
    return location.refresh.format(thing=shlex.quote(location.thing(path) or path))


MADE_BY_PACKAGES = "|".join(
    (
        *(engine.made_by_packages for engine in ENGINES.values()),
        # Created by Debian's packages themselves, and backups by their tools.
        r"/etc/(?:passwd|group|shadow|gshadow|subuid|subgid)-?",
        r"/etc/(?:\.pwd\.lock|\.updated|ld\.so\.cache|machine-id|mtab|adjtime)",
        r"/etc/(?:shells|environment|fstab|crypttab|inputrc|profile|motd|nsswitch\.conf)",
        r"/etc/(?:hostname|hosts|hosts\.allow|hosts\.deny|mailname|networks|resolv\.conf)",
        r"/etc/(?:timezone|localtime|locale\.gen|vconsole\.conf|papersize|aliases)",
        r"/etc/default/(?:locale|keyboard|console-setup|grub)",
        r"/etc/(?:ca-certificates\.conf|apt/sources\.list|security/opasswd)",
        r"/etc/(?:dpkg/origins/default|python3/debian_config)",
        r"/etc/fonts/conf\.d/.+|/etc/udev/hwdb\.bin",
        r"/etc/pam\.d/common-[a-z-]+",
        r"/etc/ssh/ssh_host_[a-z0-9_]+_key(?:\.pub)?|/etc/ssh/moduli",
        r"/etc/ssl/private/ssl-cert-snakeoil\.key",
        r"/etc/letsencrypt/(?:accounts|archive|csr|keys|live)/.+/.+",
        r"/etc/letsencrypt/(?:csr|keys|live/README|\.updated-.+)(?:/.+)?",
        r"/etc/letsencrypt/(?:options-ssl-nginx\.conf|ssl-dhparams\.pem)",
        r"/etc/runit/runsvdir/default/.+|/var/www/html|/var/spool/cron/atjobs/\.SEQ",
        # nginx loads every file in sites-enabled, whatever its name.
        r"/etc/(?!nginx/sites-enabled/).+\.(?:dpkg|ucf)-(?:old|dist|new|bak|tmp|remove)",
    )
)
"""Paths of files that packages create but do not list."""

SYSTEMD = r"(?:/usr)?/lib/systemd"

ENABLED = "|".join(
    (
        # PHP's and nginx's modules, and nginx's welcome page; a run removes its link if it
        # conflicts with our catch-all.
        r"/etc/php/[^/]+/[^/]+/conf\.d/[^/]+ -> /etc/php/\d[\d.]*/mods-available/[^/]+",
        r"/etc/nginx/modules-enabled/[^/]+ -> /usr/share/nginx/modules-available/[^/]+",
        r"/etc/nginx/sites-enabled/default -> (?:/etc/nginx|\.\.)/sites-available/default",
        # Created by systemd when it was installed, and for user sessions by presets.
        r"/etc/systemd/system/getty\.target\.wants/getty@tty1\.service"
        rf" -> {SYSTEMD}/system/getty@\.service",
        r"/etc/systemd/system/[^/]+\.wants/(?:remote-fs\.target|systemd-[^/]+)"
        rf" -> {SYSTEMD}/system/[^/]+",
        rf"/etc/systemd/system/dbus-org\.freedesktop\.[^/]+ -> {SYSTEMD}/system/[^/]+",
        rf"/etc/systemd/user/[^/]+\.wants/[^/]+ -> {SYSTEMD}/user/[^/]+",
    )
)
"""Links by which packages enable their files: path and target. Targets of no package are reported
by themselves."""


def made_by_packages(file: UnpackagedFile) -> bool:
    """Whether Debian created it, or it is a link to a packaged file for that purpose."""
    link = f"{file.path} -> {file.target}"
    return bool(re.fullmatch(MADE_BY_PACKAGES, file.path) or re.fullmatch(ENABLED, link))
