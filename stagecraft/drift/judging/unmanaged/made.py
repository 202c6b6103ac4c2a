"""Files of no package that packages' scripts and services make by themselves, and why: the only
places in which a file needs no other explanation. Their content is theirs to change; whoever may
write to them is not."""

import re
import shlex

from stagecraft.engines import ENGINES
from stagecraft.facts.unpackaged import UnpackagedFile

HOME = r"(?:/root|/home/[^/]+)"
SYSTEMD = r"(?:/usr)?/lib/systemd"

FILES = {
    "the accounts, which the check of accounts reads": (
        r"/etc/(?:passwd|group|shadow|gshadow|subuid|subgid)-?|/etc/\.pwd\.lock"
    ),
    "the keys of people, which the check of accounts reads": rf"{HOME}/\.ssh/authorized_keys",
    "whom the server believes, which the check of identities reads": (
        rf"/etc/nsswitch\.conf|{HOME}/\.[rs]hosts|/usr/local/share/ca-certificates/.+"
    ),
    "the machine's names, written when it was installed": (
        r"/etc/(?:hostname|hosts|mailname|networks|resolv\.conf|machine-id)"
    ),
    "the machine's disks, written when it was installed": r"/etc/(?:fstab|crypttab)",
    "time and language, by systemd, locales and tzdata": (
        r"/etc/(?:timezone|localtime|adjtime|locale\.gen|vconsole\.conf|papersize)"
        r"|/etc/default/(?:locale|keyboard|console-setup)|/usr/lib/locale/locale-archive"
    ),
    "the boot loader's settings, by grub's installer": r"/etc/default/grub",
    "ldconfig's list of libraries": r"/etc/ld\.so\.cache",
    "systemd's notes of its own updates": (
        r"/(?:etc|var)/\.updated|/var/lib/systemd/catalog/database|/etc/udev/hwdb\.bin"
    ),
    "login shells, by debianutils": r"/etc/shells|/var/lib/shells\.state",
    "mail aliases, by a mail server": r"/etc/aliases",
    "certificates to trust, by ca-certificates": r"/etc/ca-certificates\.conf",
    "the installer's sources, which the check of archives reads": r"/etc/apt/sources\.list",
    "a choice of python3-minimal": r"/etc/python3/debian_config",
    "the server's own keys, by openssh-server": (
        r"/etc/ssh/ssh_host_[a-z0-9_]+_key(?:\.pub)?|/etc/ssh/moduli"
    ),
    "a key to try things with, by ssl-cert": r"/etc/ssl/private/ssl-cert-snakeoil\.key",
    "certificates, by certbot": (
        r"/etc/letsencrypt/(?:accounts|archive|csr|keys)/.+"
        r"|/etc/letsencrypt/(?:live/README|\.updated-.+|options-ssl-nginx\.conf|ssl-dhparams\.pem)"
    ),
    "nginx's welcome page": r"/var/www/html",
    "the number of the last job, by at": r"/var/spool/cron/atjobs/\.SEQ",
    "which modules a package enabled, by php-common": r"/var/lib/php/modules/.+",
    "which profiles are in use, by pam-auth-update": r"/var/lib/pam/.+",
    "which units packages enabled, by deb-systemd-helper": (
        r"/var/lib/systemd/deb-systemd-(?:user-)?helper-enabled/.+"
    ),
    "a note of python3": r"/var/lib/python/python3\.\d+_installed",
    "what people's programs remember": (
        rf"{HOME}/\.(?:(?:bash|mysql|mariadb|python|php|psql|rediscli|sqlite)_history|lesshst"
        r"|viminfo|wget-hsts|selected_editor|sudo_as_admin_successful|cache/.+"
        r"|ssh/known_hosts(?:\.old)?|local/(?:share/nano|state)/.+)"
    ),
    "an older version, kept by dpkg and ucf": (
        # nginx and others load every file in some directories, whatever its name.
        r"/etc/(?!nginx/sites-enabled/).+\.(?:dpkg|ucf)-(?:old|dist|new|bak|tmp|remove)"
    ),
    "the engine's own account, by its package": "|".join(
        engine.made_by_packages for engine in ENGINES.values()
    ),
}
"""The reason, and paths."""

LINKS = {
    "one directory for programs, by usrmerge": r"/(bin|sbin|lib|lib32|lib64|libx32) -> usr/\1",
    "time and language, by systemd, locales and tzdata": (
        r"/etc/localtime -> (?:\.\.)?/usr/share/zoneinfo/.+"
        r"|/etc/default/locale -> \.\./locale\.conf|/etc/vconsole\.conf -> default/keyboard"
    ),
    "the name server, by systemd-resolved or resolvconf": r"/etc/resolv\.conf -> .*/run/.+",
    "an earlier place of a file": (
        r"/etc/mtab -> \.\./proc/self/mounts|/usr/local/man -> share/man"
        r"|/var/spool/mail -> \.\./mail|/var/lib/dbus/machine-id -> /etc/machine-id"
        r"|/var/lib/wtmpdb/wtmp\.db -> \.\./\.\./log/.+"
    ),
    "who made the packages, by base-files": r"/etc/dpkg/origins/default -> debian",
    "fonts, by fontconfig": r"/etc/fonts/conf\.d/[^/]+ -> /usr/share/fontconfig/conf\.avail/[^/]+",
    "certificates, by certbot": r"/etc/letsencrypt/live/.+ -> \.\./\.\./archive/.+",
    "a service of runit, which nothing here starts": (
        r"/etc/runit/runsvdir/default/[^/]+ -> /etc/sv/[^/]+"
    ),
    "modules of PHP and nginx, by their packages": (
        r"/etc/php/[^/]+/[^/]+/conf\.d/[^/]+ -> /etc/php/\d[\d.]*/mods-available/[^/]+"
        r"|/etc/nginx/modules-enabled/[^/]+ -> /usr/share/nginx/modules-available/[^/]+"
    ),
    # A run removes it if it conflicts with our catch-all.
    "nginx's welcome page": (
        r"/etc/nginx/sites-enabled/default -> (?:/etc/nginx|\.\.)/sites-available/default"
    ),
    "units of systemd's own, enabled when it was installed": (
        r"/etc/systemd/system/getty\.target\.wants/getty@tty1\.service"
        rf" -> {SYSTEMD}/system/getty@\.service"
        r"|/etc/systemd/system/[^/]+\.wants/(?:remote-fs\.target|systemd-[^/]+)"
        rf" -> {SYSTEMD}/system/[^/]+"
        rf"|/etc/systemd/system/dbus-org\.freedesktop\.[^/]+ -> {SYSTEMD}/system/[^/]+"
        rf"|/etc/systemd/user/[^/]+\.wants/[^/]+ -> {SYSTEMD}/user/[^/]+"
    ),
}
"""The reason, and paths with their targets. What the targets are is reported by itself."""

HISTORIES = re.compile(rf"{HOME}/\.")
"""What programs remember there is nothing to run."""

NOT_FOR_ALL = (
    r"/etc/g?shadow-?|/etc/ssh/ssh_host_[a-z0-9_]+_key|/etc/ssl/private/.+|.+/privkey[^/]*\.pem"
)

STAYING = r"/etc/(?:fstab|crypttab|shells|aliases|default/grub)"
"""As on the server's first day, unless somebody changes them."""

STAFF_S = r"/usr/local(?:/.+)?"
"""Debian's base-files and fontconfig give such directories to `staff`, which has no members."""


def reason(file: UnpackagedFile) -> str:
    """Why the file is there; empty if no package's script or service makes it, or makes it so."""
    if file.kind == "link":
        return matching(LINKS, f"{file.path} -> {file.target}")
    if file.kind == "directory":
        return directory(file)
    if others_may_write(file) or (HISTORIES.match(file.path) and int(file.mode, 8) & 0o111):
        return ""
    return matching(FILES, file.path)


def remedy(file: UnpackagedFile) -> str:
    """For a file that has to be there, but not like this; empty for another."""
    if file.kind != "file" or not matching(FILES, file.path):
        return ""
    path = shlex.quote(file.path)
    if HISTORIES.match(file.path):
        return f"rm {path}"
    if others_may_write(file):
        closed = "go-w,o-rx" if re.fullmatch(NOT_FOR_ALL, file.path) else "go-w"
        return f"chown root {path} && chmod {closed} {path}"
    return f"editor {path}  # no record says what was in it: a backup may"


def directory(file: UnpackagedFile) -> str:
    """Only those of others than root, or for others to write, are looked at."""
    if (file.owner, file.mode) == ("root:staff", "2775") and re.fullmatch(STAFF_S, file.path):
        return "a place for the group staff"
    user, open_to_others = file.owner.split(":")[0], int(file.mode, 8) & 0o022
    if open_to_others:
        return ""
    if re.fullmatch(r"/home/[^/]+", file.path) or file.path.startswith(f"/home/{user}/"):
        return "somebody's home"
    own = re.fullmatch(r"/var/(?:lib|spool)/.+", file.path)
    return "a service's own state" if own else matching(FILES, file.path) * (user == "root")


def stays(file: UnpackagedFile) -> bool:
    return re.fullmatch(STAYING, file.path) is not None


def matching(reasons: dict[str, str], text: str) -> str:
    return next((reason for reason, pattern in reasons.items() if re.fullmatch(pattern, text)), "")


def others_may_write(file: UnpackagedFile) -> bool:
    """Or read what is secret, or own what is not in their home."""
    user, mode = file.owner.split(":")[0], int(file.mode, 8)
    if re.fullmatch(NOT_FOR_ALL, file.path) and mode & 0o037:
        return True
    own = file.path.startswith(f"/home/{user}/")
    return bool(mode & 0o022) or not (own or user == "root" or "/cron/at" in file.path)
