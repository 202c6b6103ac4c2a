"""What a file is by the place where it stands, and how bad it is that nobody declared it."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from re import Pattern

from stagecraft.drift.findings import Severity
from stagecraft.engines import ENGINES
from stagecraft.facts.strays import Stray
from stagecraft.paths import APPS
from stagecraft.services import RUN_BY_US

VHOST = "vhost"
NGINX_MODULE = "nginx module"
FPM_POOL = "FPM pool"
PHP_SETTINGS = "PHP settings"
DATABASE_SETTINGS = "database settings"
REDIS_INSTANCE = "Redis instance"
CRON_JOB = "cron job"
CRONTAB = "crontab"
AT_JOB = "at job"
UNIT = "unit"
TIMER = "timer"
OVERRIDE = "unit override"
MASK = "masked unit"
LINGERING = "lingering user"
SUDOERS = "sudo rules"
SSHD = "sshd settings"
APT_SOURCE = "apt source"
APT_KEY = "apt key"
APT_PIN = "apt pin"
CERTIFICATE = "certificate"
SITE_DIRECTORY = "site directory"
PRELOADED = "preloaded library"
START_SCRIPT = "start script"
PAM = "PAM rules"
PROGRAM = "program"
SETUID = "setuid program"
UNPRINTABLE = "unprintable name"
FILE = "file"


@dataclass(frozen=True)
class Place:
    """Where files of a kind stand: the first group of `pattern` names the thing, or else the path
    does. `remedy` is for `{path}` and `{thing}`; `refresh`, for `{thing}`, has what loads such
    files load them again."""

    kind: str
    severity: Severity
    pattern: Pattern[str]
    remedy: str = "rm {path}"
    refresh: str = ""

    def thing(self, path: str) -> str | None:
        """What is named after the file here; None for a file of another place."""
        match = self.pattern.fullmatch(path)
        if match is None:
            return None
        return next((group for group in match.groups() if group), path)


def place(
    kind: str, severity: Severity, pattern: str, remedy: str = "rm {path}", refresh: str = ""
) -> Place:
    return Place(kind, severity, re.compile(pattern), remedy, refresh)


UNITS = (
    r"(?:/etc|/usr/local/lib|/usr/lib|/run)/systemd/(?:system(?:\.control|\.attached)?|transient)"
)
UNIT_NAME = r"[^/]+\.(?:service|socket|path|mount|automount|swap|target|slice)"

# None of them takes anything up by itself, as `systemctl disable` would without --no-reload.
DISABLE = "systemctl disable --now --no-reload {thing}; rm -f {path}"
FORGET = "systemctl daemon-reload"
NGINX = "nginx -t && systemctl reload nginx"
PHP = "systemctl try-reload-or-restart 'php*-fpm*.service'"
APT = "apt-get update"

PLACES = (
    place(NGINX_MODULE, Severity.HIGH,
          r"/etc/nginx/modules-enabled/(.+)|/usr/share/nginx/modules-available/.+",
          refresh="nginx -t && systemctl restart nginx"),
    place(VHOST, Severity.HIGH, r"/etc/nginx/(?:sites-enabled|conf\.d)/.+", refresh=NGINX),
    place(FILE, Severity.LOW, r"/etc/nginx/.+", refresh=NGINX),
    place(FPM_POOL, Severity.HIGH, r"/etc/php/[^/]+/fpm/pool\.d/.+", refresh=PHP),
    place(PHP_SETTINGS, Severity.HIGH, r"/etc/php/.+", refresh=PHP),
    *(place(DATABASE_SETTINGS, Severity.HIGH, engine.files,
            refresh=f"systemctl restart {engine.alias}") for engine in ENGINES.values()),
    place(REDIS_INSTANCE, Severity.HIGH, r"/etc/redis/redis-([^/]+)\.(?:conf|acl)",
          "systemctl disable --now --no-reload redis-server@{thing}; rm /etc/redis/redis-{thing}.*",
          FORGET),
    place(REDIS_INSTANCE, Severity.HIGH, rf"{UNITS}/.+/redis-server@(.+)\.service",
          "systemctl disable --now --no-reload redis-server@{thing}; rm -f {path}", FORGET),
    place(CRON_JOB, Severity.HIGH, r"/etc/cron\.(?:d|hourly|daily|weekly|monthly|yearly)/.+"),
    place(CRONTAB, Severity.HIGH, r"/var/spool/cron/crontabs/(.+)"),
    place(AT_JOB, Severity.HIGH, r"/var/spool/cron/atjobs/(a.+)"),
    place(OVERRIDE, Severity.HIGH, rf"{UNITS}/({RUN_BY_US})\.d/[^/]+\.conf",
          refresh=f"{FORGET} && systemctl try-restart {{thing}}"),
    place(OVERRIDE, Severity.HIGH, rf"{UNITS}/([^/]+)\.d/[^/]+\.conf", refresh=FORGET),
    place(TIMER, Severity.HIGH, rf"{UNITS}/(?:.+/)?([^/]+\.timer)", DISABLE, FORGET),
    place(UNIT, Severity.HIGH, rf"{UNITS}/(?:.+/)?({UNIT_NAME})", DISABLE, FORGET),
    place(UNIT, Severity.HIGH, r"(?:/root|/home/[^/]+)/\.(?:config|local/share)/systemd/.+"
          r"|/etc/systemd/user/.+|/usr/(?:local/)?(?:share|lib)/systemd/user/.+"),
    place(UNIT, Severity.HIGH, r"/etc/systemd/(?:system|user)-generators/.+", refresh=FORGET),
    place(LINGERING, Severity.LOW, r"/var/lib/systemd/linger/(.+)"),
    place(SUDOERS, Severity.CRITICAL, r"/etc/sudoers\.d/.+"),
    place(SSHD, Severity.HIGH, r"/etc/ssh/sshd_config",
          "install -m 644 /usr/share/openssh/sshd_config {path}",
          "sshd -t && systemctl reload ssh"),
    place(SSHD, Severity.HIGH, r"/etc/ssh/sshd_config\.d/.+",
          refresh="sshd -t && systemctl reload ssh"),
    place(FILE, Severity.HIGH, r"/etc/fail2ban/.+", refresh="systemctl restart fail2ban"),
    place(FILE, Severity.HIGH, r"/etc/apt/apt\.conf(?:\.d/.+)?", refresh=APT),
    place(APT_SOURCE, Severity.HIGH, r"/etc/apt/sources\.list\.d/.+\.(?:list|sources)",
          refresh=APT),
    place(APT_KEY, Severity.HIGH, r"/etc/apt/trusted\.gpg(?:\.d/.+)?"),
    place(APT_KEY, Severity.LOW, r"/(?:etc/apt|usr/share)/keyrings/.+"),
    place(APT_PIN, Severity.LOW, r"/etc/apt/preferences(?:\.d/.+)?"),
    place(CERTIFICATE, Severity.LOW, r"/etc/letsencrypt/(?:live/([^/]+)|renewal/(.+)\.conf)",
          "certbot delete --cert-name {thing}"),
    place(SITE_DIRECTORY, Severity.LOW, rf"{APPS}/[^/]+", "mv {path} /root/"),
    place(PRELOADED, Severity.CRITICAL, r"/etc/ld\.so\.preload"),
    place(START_SCRIPT, Severity.HIGH, r"/etc/rc\.local|/etc/init\.d/.+|/etc/network/if-.+\.d/.+"),
    place(PAM, Severity.CRITICAL, r"/etc/pam\.d/.+"),
    place(PROGRAM, Severity.LOW, r"/usr/(?:local/)?s?bin/.+"),
    place(FILE, Severity.LOW, r"/.+"),
)  # fmt: skip

UNPRINTABLE_PLACE = place(
    UNPRINTABLE, Severity.CRITICAL, r"(?s:/.+)", r"printf '%b\0' {path} | xargs -0 rm --"
)
SETUID_PLACE = place(SETUID, Severity.CRITICAL, r"/.+")
MASK_PLACE = place(MASK, Severity.LOW, rf"{UNITS}/([^/]+)", "systemctl unmask {thing}")


def place_of(stray: Stray) -> Place:
    """The first place that the file is in; a name to hide behind comes before that, and whose
    rights it gives away."""
    if not stray.printable:
        return UNPRINTABLE_PLACE
    if stray.setuid:
        return SETUID_PLACE
    if stray.target == "/dev/null" and MASK_PLACE.thing(stray.path):
        return MASK_PLACE
    return next(place for place in PLACES if place.thing(stray.path))


def place_of_path(path: str) -> Place:
    return place_of(Stray(path))


def refresh_of(path: str) -> str:
    """What has the file there loaded again; empty where nothing keeps it loaded."""
    place = place_of_path(path)
    return place.refresh.format(thing=shlex.quote(place.thing(path) or path))


MADE_BY_PACKAGES = re.compile(
    "|".join(
        (
            *(engine.made_by_packages for engine in ENGINES.values()),
            # What Debian's packages make themselves, and their tools' spare copies.
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
            # nginx loads all that stands among the enabled sites, whatever it is called.
            r"/etc/(?!nginx/sites-enabled/).+\.(?:dpkg|ucf)-(?:old|dist|new|bak|tmp|remove)",
        )
    )
)
"""Paths, whoever's, whose files no package lists."""

SYSTEMD = r"(?:/usr)?/lib/systemd"

ENABLED = re.compile(
    "|".join(
        (
            # PHP's and nginx's modules, and nginx's welcome page; where that is in the way of our
            # catch-all, a run takes its link away.
            r"/etc/php/[^/]+/[^/]+/conf\.d/[^/]+ -> /etc/php/\d[\d.]*/mods-available/[^/]+",
            r"/etc/nginx/modules-enabled/[^/]+ -> /usr/share/nginx/modules-available/[^/]+",
            r"/etc/nginx/sites-enabled/default -> (?:/etc/nginx|\.\.)/sites-available/default",
            # By systemd itself when it was installed, and for user sessions by presets.
            r"/etc/systemd/system/getty\.target\.wants/getty@tty1\.service"
            rf" -> {SYSTEMD}/system/getty@\.service",
            r"/etc/systemd/system/[^/]+\.wants/(?:remote-fs\.target|systemd-[^/]+)"
            rf" -> {SYSTEMD}/system/[^/]+",
            rf"/etc/systemd/system/dbus-org\.freedesktop\.[^/]+ -> {SYSTEMD}/system/[^/]+",
            rf"/etc/systemd/user/[^/]+\.wants/[^/]+ -> {SYSTEMD}/user/[^/]+",
        )
    )
)
"""Links by which packages enable what they have brought: where they stand, and where they lead to.
What nobody has brought there is found by itself."""


def made_by_packages(stray: Stray) -> bool:
    """Whether Debian made it. A link to what a package has brought for that is as good."""
    return bool(
        MADE_BY_PACKAGES.fullmatch(stray.path)
        or ENABLED.fullmatch(f"{stray.path} -> {stray.target}")
    )
