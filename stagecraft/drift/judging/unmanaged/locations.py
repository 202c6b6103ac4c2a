"""What kind of file is at a path, and how bad an undeclared one is."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from functools import cache

from stagecraft.drift.findings import Class, Kind, Severity
from stagecraft.engines import ENGINES
from stagecraft.facts.unpackaged import UnpackagedFile
from stagecraft.paths import APPS
from stagecraft.services import RUN_BY_US


@dataclass(frozen=True)
class FileKind(Kind):
    """`area` is the check that reports it. `machines` kinds are not checked if `host` is not
    declared. `images` kinds are accepted from the provider's image; the others can give access, so
    they are always reported."""

    area: str = ""
    machines: bool = False
    images: bool = False


def kind(name: str, area: str, *, machines: bool = False, images: bool = False) -> FileKind:
    return FileKind(Class.UNMANAGED, name, area=area, machines=machines, images=images)


VHOST = kind("vhost", "vhosts")
NGINX_MODULE = kind("nginx module", "vhosts", images=True)
FPM_POOL = kind("FPM pool", "FPM pools")
PHP_SETTINGS = kind("PHP settings", "FPM pools")
REDIS_INSTANCE = kind("Redis instance", "Redis instances")
CRON_JOB = kind("cron job", "cron jobs")
CRONTAB = kind("crontab", "cron jobs")
AT_JOB = kind("at job", "cron jobs")
UNIT = kind("unit", "units", images=True)
TIMER = kind("timer", "units", images=True)
OVERRIDE = kind("unit override", "units", images=True)
MASK = kind("masked unit", "units", machines=True, images=True)
LINGERING = kind("lingering user", "units", machines=True, images=True)
START_SCRIPT = kind("start script", "units", machines=True, images=True)
CERTIFICATE = kind("certificate", "certificates")
SITE_DIRECTORY = kind("site directory", "site directories")
SUDOERS = kind("sudo rules", "rights", machines=True)
SSHD = kind("sshd settings", "rights", machines=True)
PAM = kind("PAM rules", "rights", machines=True)
PRELOADED = kind("preloaded library", "rights")
SETUID = kind("setuid program", "rights")
UNPRINTABLE = kind("unprintable name", "rights")
APT_SOURCE = kind("apt source", "")  # apt knows more of these than their files
APT_KEY = kind("apt key", "archives", machines=True)
APT_PIN = kind("apt pin", "archives", machines=True, images=True)
PROGRAM = kind("program", "other files", machines=True, images=True)
DATABASE_SETTINGS = kind("database settings", "other files", machines=True)
FILE = kind("file", "other files", machines=True, images=True)


@dataclass(frozen=True)
class Location:
    """Where files of a kind are. The first group of `pattern`, or else the path, is the thing's
    name. `remedy` is formatted with `{path}` and `{thing}`; `refresh`, with `{thing}`, makes
    services reload such files."""

    kind: FileKind
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
    Location(NGINX_MODULE, Severity.HIGH,
             r"/etc/nginx/modules-enabled/(.+)|/usr/share/nginx/modules-available/.+",
             refresh="nginx -t && systemctl restart nginx"),
    Location(VHOST, Severity.HIGH, r"/etc/nginx/(?:sites-enabled|conf\.d)/.+", refresh=NGINX),
    Location(FILE, Severity.LOW, r"/etc/nginx/.+", refresh=NGINX),
    Location(FPM_POOL, Severity.HIGH, r"/etc/php/[^/]+/fpm/pool\.d/.+", refresh=PHP),
    Location(PHP_SETTINGS, Severity.HIGH, r"/etc/php/.+", refresh=PHP),
    *(Location(DATABASE_SETTINGS, Severity.HIGH, engine.files,
               refresh=f"systemctl restart {engine.alias}") for engine in ENGINES.values()),
    Location(REDIS_INSTANCE, Severity.HIGH, r"/etc/redis/redis-([^/]+)\.(?:conf|acl)",
             "systemctl disable --now --no-reload redis-server@{thing};"
             " rm /etc/redis/redis-{thing}.*", FORGET),
    Location(REDIS_INSTANCE, Severity.HIGH, rf"{UNITS}/.+/redis-server@(.+)\.service",
             "systemctl disable --now --no-reload redis-server@{thing}; rm -f {path}", FORGET),
    Location(CRON_JOB, Severity.HIGH, r"/etc/cron\.(?:d|hourly|daily|weekly|monthly|yearly)/.+"),
    Location(CRONTAB, Severity.HIGH, r"/var/spool/cron/crontabs/(.+)"),
    Location(AT_JOB, Severity.HIGH, r"/var/spool/cron/atjobs/(a.+)"),
    Location(OVERRIDE, Severity.HIGH, rf"{UNITS}/({RUN_BY_US})\.d/[^/]+\.conf",
             refresh=f"{FORGET} && systemctl try-restart {{thing}}"),
    Location(OVERRIDE, Severity.HIGH, rf"{UNITS}/([^/]+)\.d/[^/]+\.conf", refresh=FORGET),
    Location(TIMER, Severity.HIGH, rf"{UNITS}/(?:.+/)?([^/]+\.timer)", DISABLE, FORGET),
    Location(UNIT, Severity.HIGH, rf"{UNITS}/(?:.+/)?({UNIT_NAME})", DISABLE, FORGET),
    Location(UNIT, Severity.HIGH, r"(?:/root|/home/[^/]+)/\.(?:config|local/share)/systemd/.+"
             r"|/etc/systemd/user/.+|/usr/(?:local/)?(?:share|lib)/systemd/user/.+"),
    Location(UNIT, Severity.HIGH, r"/etc/systemd/(?:system|user)-generators/.+", refresh=FORGET),
    Location(LINGERING, Severity.LOW, r"/var/lib/systemd/linger/(.+)"),
    Location(SUDOERS, Severity.CRITICAL, r"/etc/sudoers\.d/.+"),
    Location(SSHD, Severity.HIGH, r"/etc/ssh/sshd_config",
             "install -m 644 /usr/share/openssh/sshd_config {path}",
             "sshd -t && systemctl reload ssh"),
    Location(SSHD, Severity.HIGH, r"/etc/ssh/sshd_config\.d/.+",
             refresh="sshd -t && systemctl reload ssh"),
    Location(FILE, Severity.HIGH, r"/etc/fail2ban/.+", refresh="systemctl restart fail2ban"),
    Location(FILE, Severity.HIGH, r"/etc/apt/apt\.conf(?:\.d/.+)?", refresh=APT),
    Location(APT_SOURCE, Severity.HIGH, r"/etc/apt/sources\.list\.d/.+\.(?:list|sources)",
             refresh=APT),
    Location(APT_KEY, Severity.HIGH, r"/etc/apt/trusted\.gpg(?:\.d/.+)?"),
    Location(APT_KEY, Severity.LOW, r"/(?:etc/apt|usr/share)/keyrings/.+"),
    Location(APT_PIN, Severity.LOW, r"/etc/apt/preferences(?:\.d/.+)?"),
    Location(CERTIFICATE, Severity.LOW, r"/etc/letsencrypt/(?:live/([^/]+)|renewal/(.+)\.conf)",
             "certbot delete --cert-name {thing}"),
    Location(SITE_DIRECTORY, Severity.LOW, rf"{APPS}/[^/]+", "mv {path} /root/"),
    Location(PRELOADED, Severity.CRITICAL, r"/etc/ld\.so\.preload"),
    Location(START_SCRIPT, Severity.HIGH,
             r"/etc/rc\.local|/etc/init\.d/.+|/etc/network/if-.+\.d/.+"),
    Location(PAM, Severity.CRITICAL, r"/etc/pam\.d/.+"),
    Location(PROGRAM, Severity.LOW, r"/usr/(?:local/)?s?bin/.+"),
    Location(FILE, Severity.LOW, r"/.+"),
)  # fmt: skip

UNPRINTABLE_NAME = Location(
    UNPRINTABLE, Severity.CRITICAL, r"(?s:/.+)", r"printf '%b\0' {path} | xargs -0 rm --"
)
SETUID_FILE = Location(SETUID, Severity.CRITICAL, r"/.+")
MASKED = Location(MASK, Severity.LOW, rf"{UNITS}/([^/]+)", "systemctl unmask {thing}")


def kinds_of(area: str) -> set[str]:
    """The names of the kinds that this check reports."""
    everywhere = (*LOCATIONS, UNPRINTABLE_NAME, SETUID_FILE, MASKED)
    return {location.kind.name for location in everywhere if location.kind.area == area}


@cache
def location_of(file: UnpackagedFile) -> Location:
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


MADE_BY_PACKAGES = re.compile(
    "|".join(
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
)
"""Paths of files that packages create but do not list."""

SYSTEMD = r"(?:/usr)?/lib/systemd"

ENABLED = re.compile(
    "|".join(
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
)
"""Links by which packages enable their files: path and target. Targets of no package are reported
by themselves."""


def made_by_packages(file: UnpackagedFile) -> bool:
    """Whether Debian created it, or it is a link to a packaged file for that purpose."""
    return bool(
        MADE_BY_PACKAGES.fullmatch(file.path) or ENABLED.fullmatch(f"{file.path} -> {file.target}")
    )
