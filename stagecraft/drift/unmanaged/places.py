"""What a file is by the place where it stands, and how bad it is that nobody declared it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from re import Pattern

from stagecraft.drift.findings import Severity
from stagecraft.facts.strays import Stray

VHOST = "vhost"
NGINX_MODULE = "nginx module"
FPM_POOL = "FPM pool"
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
FILE = "file"


@dataclass(frozen=True)
class Place:
    """Where files of a kind stand: the first group of `pattern` names the thing, or else the path
    does. `remedy` is for `{path}` and `{thing}`."""

    kind: str
    severity: Severity
    pattern: Pattern[str]
    remedy: str = "rm {path}"

    def thing(self, path: str) -> str | None:
        """What is named after the file here; None for a file of another place."""
        match = self.pattern.fullmatch(path)
        if match is None:
            return None
        return next((group for group in match.groups() if group), path)


def place(kind: str, severity: Severity, pattern: str, remedy: str = "rm {path}") -> Place:
    return Place(kind, severity, re.compile(pattern), remedy)


UNITS = r"(?:/etc|/usr/local/lib|/usr/lib|/run)/systemd/(?:system|transient)"
UNIT_NAME = r"[^/]+\.(?:service|socket|path|mount|automount|swap|target|slice)"
FORGET = "systemctl daemon-reload"

PLACES = (
    place(VHOST, Severity.HIGH, r"/etc/nginx/(?:sites-enabled|conf\.d)/.+",
          "rm {path} && systemctl reload nginx"),
    place(NGINX_MODULE, Severity.HIGH, r"/etc/nginx/modules-enabled/(.+)",
          "rm {path} && systemctl restart nginx"),
    place(FPM_POOL, Severity.HIGH, r"/etc/php/[^/]+/fpm/pool\.d/.+"),
    place(REDIS_INSTANCE, Severity.HIGH, r"/etc/redis/redis-([^/]+)\.(?:conf|acl)",
          "systemctl disable --now redis-server@{thing}; rm /etc/redis/redis-{thing}.*"),
    place(REDIS_INSTANCE, Severity.HIGH, rf"{UNITS}/.+/redis-server@(.+)\.service",
          "systemctl disable --now redis-server@{thing}"),
    place(CRON_JOB, Severity.HIGH, r"/etc/cron\.(?:d|hourly|daily|weekly|monthly|yearly)/.+"),
    place(CRONTAB, Severity.HIGH, r"/var/spool/cron/crontabs/(.+)"),
    place(AT_JOB, Severity.HIGH, r"/var/spool/cron/atjobs/(a.+)"),
    place(OVERRIDE, Severity.HIGH, rf"{UNITS}/([^/]+)\.d/[^/]+\.conf", f"rm {{path}} && {FORGET}"),
    place(TIMER, Severity.HIGH, rf"{UNITS}/(?:.+/)?([^/]+\.timer)",
          f"systemctl disable --now {{thing}}; rm -f {{path}} && {FORGET}"),
    place(UNIT, Severity.HIGH, rf"{UNITS}/(?:.+/)?({UNIT_NAME})",
          f"systemctl disable --now {{thing}}; rm -f {{path}} && {FORGET}"),
    place(UNIT, Severity.HIGH, r"(?:/root|/home/[^/]+)/\.config/systemd/user/.+"),
    place(UNIT, Severity.HIGH, r"/etc/systemd/(?:system|user)-generators/.+"),
    place(LINGERING, Severity.LOW, r"/var/lib/systemd/linger/(.+)"),
    place(SUDOERS, Severity.CRITICAL, r"/etc/sudoers\.d/.+"),
    place(SSHD, Severity.HIGH, r"/etc/ssh/sshd_config\.d/.+", "rm {path} && systemctl reload ssh"),
    place(APT_SOURCE, Severity.HIGH, r"/etc/apt/sources\.list\.d/.+\.(?:list|sources)",
          "rm {path} && apt-get update"),
    place(APT_KEY, Severity.HIGH, r"/etc/apt/trusted\.gpg(?:\.d/.+)?"),
    place(APT_KEY, Severity.LOW, r"/(?:etc/apt|usr/share)/keyrings/.+"),
    place(APT_PIN, Severity.LOW, r"/etc/apt/preferences(?:\.d/.+)?"),
    place(CERTIFICATE, Severity.LOW, r"/etc/letsencrypt/(?:live/([^/]+)|renewal/(.+)\.conf)",
          "certbot delete --cert-name {thing}"),
    place(SITE_DIRECTORY, Severity.LOW, r"/var/www/[^/]+", "mv {path} /root/"),
    place(PRELOADED, Severity.CRITICAL, r"/etc/ld\.so\.preload"),
    place(START_SCRIPT, Severity.HIGH, r"/etc/rc\.local|/etc/init\.d/.+|/etc/network/if-.+\.d/.+"),
    place(PAM, Severity.CRITICAL, r"/etc/pam\.d/.+"),
    place(PROGRAM, Severity.LOW, r"/usr/(?:local/)?s?bin/.+"),
    place(FILE, Severity.LOW, r"/.+"),
)  # fmt: skip

SETUID_PLACE = place(SETUID, Severity.CRITICAL, r"/.+")
MASK_PLACE = place(MASK, Severity.LOW, rf"{UNITS}/([^/]+)", "systemctl unmask {thing}")


def place_of(stray: Stray) -> Place:
    """The first place that the file is in; whose rights it gives away comes before that."""
    if stray.setuid:
        return SETUID_PLACE
    if stray.target == "/dev/null" and MASK_PLACE.thing(stray.path):
        return MASK_PLACE
    return next(place for place in PLACES if place.thing(stray.path))


def place_of_path(path: str) -> Place:
    return place_of(Stray(path))


MADE_BY_PACKAGES = re.compile(
    "|".join(
        (
            # What Debian's packages make themselves, and their tools' spare copies.
            r"/etc/(?:passwd|group|shadow|gshadow|subuid|subgid)-?",
            r"/etc/(?:\.pwd\.lock|\.updated|ld\.so\.cache|machine-id|mtab|adjtime)",
            r"/etc/(?:shells|environment|fstab|crypttab|inputrc|profile|motd|nsswitch\.conf)",
            r"/etc/(?:hostname|hosts|hosts\.allow|hosts\.deny|mailname|networks|resolv\.conf)",
            r"/etc/(?:timezone|localtime|locale\.gen|vconsole\.conf|papersize|aliases)",
            r"/etc/default/(?:locale|keyboard|console-setup|grub)",
            r"/etc/(?:ca-certificates\.conf|apt/sources\.list|security/opasswd)",
            r"/etc/(?:dpkg/origins/default|python3/debian_config|mysql/debian\.cnf)",
            r"/etc/mysql/my\.cnf|/etc/fonts/conf\.d/.+|/etc/udev/hwdb\.bin",
            r"/etc/pam\.d/common-[a-z-]+",
            r"/etc/ssh/ssh_host_[a-z0-9_]+_key(?:\.pub)?|/etc/ssh/moduli",
            r"/etc/ssl/private/ssl-cert-snakeoil\.key",
            r"/etc/letsencrypt/(?:accounts|archive|csr|keys|live)/.+/.+",
            r"/etc/letsencrypt/(?:csr|keys|live/README|\.updated-.+)(?:/.+)?",
            r"/etc/letsencrypt/(?:options-ssl-nginx\.conf|ssl-dhparams\.pem)",
            # nginx's welcome page; where it is in the way of our catch-all, a run takes it away.
            r"/etc/nginx/sites-enabled/default",
            r"/etc/runit/runsvdir/default/.+|/var/www/html|/var/spool/cron/atjobs/\.SEQ",
            r"/etc/.+\.(?:dpkg|ucf)-(?:old|dist|new|bak|tmp|remove)",
            # Enabled by systemd itself when it was installed, and for user sessions by presets.
            r"/etc/systemd/system/getty\.target\.wants/getty@tty1\.service",
            r"/etc/systemd/system/[^/]+\.wants/(?:remote-fs\.target|systemd-.+)",
            r"/etc/systemd/system/dbus-org\.freedesktop\..+\.service",
            r"/etc/systemd/user/[^/]+\.wants/.+",
        )
    )
)
"""Paths, whoever's, whose files no package lists."""


def made_by_packages(stray: Stray) -> bool:
    """Whether Debian made it. A link to what a package has brought for that (nginx's and PHP's
    modules) is as good as Debian's own."""
    return bool(MADE_BY_PACKAGES.fullmatch(stray.path)) or bool(
        re.search(r"/mod(?:ule)?s-available/", stray.target)
    )
