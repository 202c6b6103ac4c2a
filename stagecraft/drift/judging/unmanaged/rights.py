"""Packages' files with other rights than their packages give them. dpkg records no owners and no
modes: all files are root's, and only root may write to them, except for those listed here."""

import re
import shlex
from collections.abc import Iterator

from pyinfra.context import host

from stagecraft.drift.findings import Class, Finding, Kind, Severity
from stagecraft.drift.judging.unmanaged.files import MASK_OF_A_RUN
from stagecraft.drift.looking.server import Declared, ask
from stagecraft.facts.package_files import PackageFilesFact
from stagecraft.facts.packaged import PackagedRightsFact
from stagecraft.run import this_run

RIGHTS = Kind(
    Class.UNMANAGED,
    "rights of a package's file",
    "root's, for others to read, without attributes",
    Severity.CRITICAL,
)
COMPILED = Kind(Class.UNMANAGED, "compiled Python", "what its source says", Severity.CRITICAL)

RECORD = Kind(
    Class.UNMANAGED, "package record", "as dpkg wrote it with its package", Severity.CRITICAL
)
DIVERSION = Kind(Class.UNMANAGED, "diversion", severity=Severity.CRITICAL)

DISABLED = Kind(Class.UNMANAGED, "disabled unit", "starts, as its package has it", Severity.LOW)
AHEAD = Kind(Class.UNMANAGED, "stamp ahead of time", "of a time that has been")

NEVER_ENABLED = "systemd-time-wait-sync.service"
"""Debian 13's systemd-timesyncd notes it as enabled, and leaves it disabled."""

GIVEN = {
    # Programs that become root to change an account, a session or a mount.
    r"/usr/bin/(?:passwd|chfn|chsh|gpasswd|newgrp|newuidmap|newgidmap|su|sudo|mount|umount"
    r"|fusermount3?|ntfs-3g|pkexec|crontab|at|sg)": "4755",
    r"/usr/lib/(?:openssh/ssh-keysign|polkit-1/polkit-agent-helper-1|eject/dmcrypt-get-device"
    r"|mysql/plugin/auth_pam_tool_dir/auth_pam_tool|xorg/Xorg\.wrap)": "4755",
    r"/usr/sbin/(?:mount\.(?:nfs|cifs)|exim4|pppd)": "4755|4754",
    r"/usr/lib/dbus-1\.0/dbus-daemon-launch-helper": "4754 root:messagebus",
    # Programs that read or write what their group may.
    r"/usr/bin/(?:chage|expiry)|/usr/sbin/(?:unix|pam_extrausers)_chkpwd": "2755 root:shadow",
    r"/usr/bin/ssh-agent": "2755 root:_ssh",
    r"/usr/bin/crontab": "2755 root:crontab",
    r"/usr/bin/(?:wall|write(?:\.ul)?|bsd-write)": "2755 root:tty",
    r"/usr/bin/at": "6755 daemon:daemon|2755 root:daemon",
    r"/usr/bin/(?:screen|dotlockfile|mlocate|plocate)": "2755 root:(?:utmp|mail|plocate)",
    r"/usr/s?bin/post(?:drop|queue)": "2755 root:postdrop",
    # Where everybody may leave files, and nobody delete another's.
    r"/(?:var/)?tmp": "1777",
    r"/var/lib/php/sessions": "1733",
    r"/var/spool/cron/crontabs": "1730 root:crontab",
    # Where members of `staff` may install programs; it has no members.
    r"/var/local|/usr/local(?:/.+)?": "2775 root:staff",
    r"/var/mail": "2775 root:mail",
    # A service's own settings, state and logs.
    r"/etc/redis": "2770 redis:redis",
    r"/etc/redis/(?:redis|sentinel)\.conf": "redis:redis",
    r"/usr/lib/mysql/plugin/auth_pam_tool_dir": "mysql:root",
    r"/var/(?:lib|log|cache|spool)/.+": r"[a-z_][a-z0-9_-]*:[a-z_][a-z0-9_-]*",
}
"""What packages give by path: the mode, or the owner, or both."""

REMOVED = "python3 -c 'import os, sys; os.removexattr(*sys.argv[1:])' {path}"
"""With an attribute's name; every server has Python."""

UNDONE = {
    "owner": "chown --no-dereference root:root {path}",
    "mode": "chmod ug-s,go-w {path}",
    "open": "chmod {last} {path}",
    "acl": "setfacl --remove-all {path}",
    "default acl": "setfacl --remove-default {path}",
    "capability": f"{REMOVED} security.capability",
    "attributes": "chattr -ia {path}",
    "user attribute": f"{REMOVED} {{last}}",
    "instead of a link": "apt-get install --reinstall {last}",
}


def rights(declared: Declared) -> Iterator[Finding]:
    if declared.settings.host is None:
        return
    reported = ask(PackageFilesFact)  # whose remedies restore the rights, too
    for path, found in ask(PackagedRightsFact, full=bool(host.data.get("full"))).items():
        if "compiled" in found:
            yield compiled(path)
        elif "record" in found:
            yield record(path)
        elif "disabled" in found:
            yield from disabled(path, found["disabled"])
        elif "ahead" in found:
            yield ahead(path, found["ahead"])
        elif "diverted" in found:
            yield diverted(path, found["diverted"])
        elif path not in declared.paths | reported.keys() and not given(path, found):
            yield odd(path, found)


def given(path: str, found: dict[str, str]) -> bool:
    """Whether its package gives it just this mode and owner."""
    if not found.keys() <= {"mode", "owner"}:
        return False
    has = " ".join(found[kind] for kind in ("mode", "owner") if kind in found)
    return any(
        re.fullmatch(paths, path) and re.fullmatch(expected, has)
        for paths, expected in GIVEN.items()
    )


def odd(path: str, found: dict[str, str]) -> Finding:
    quoted = shlex.quote(path)
    words = (f"{kind} {value}".strip() for kind, value in found.items())
    undone = (
        UNDONE[kind].format(path=quoted, last=shlex.quote(value.split(" ")[-1]))
        for kind, value in reversed(found.items())
    )
    return RIGHTS.finding(path, found=f"has {', '.join(words)}", remedy=" && ".join(undone))


def compiled(path: str) -> Finding:
    return COMPILED.finding(
        path,
        found="is not what Python compiles from its source",
        remedy=f"rm {shlex.quote(path)}",
    )


def record(path: str) -> Finding:
    """Who can change what dpkg knows of a package can hide a changed file, or have root run code
    when it is upgraded."""
    package = shlex.quote(path.rpartition("/")[2].rpartition(".")[0])
    return RECORD.finding(
        path,
        found="has changed since its package was unpacked",
        remedy=f"apt-get install --reinstall {package}",
    )


def diverted(path: str, elsewhere: str) -> Finding:
    return DIVERSION.finding(
        path,
        found=f"packages' files of this name go to {elsewhere}",
        remedy=f"rm -f {shlex.quote(path)} && dpkg-divert --rename --remove {shlex.quote(path)}",
    )


def disabled(path: str, unit: str) -> Iterator[Finding]:
    """Those that our runs stop or replace are in the plan."""
    ours = {service.unit for service in this_run().services}
    if unit not in {*ours, NEVER_ENABLED} and not MASK_OF_A_RUN.fullmatch(unit):
        yield DISABLED.finding(
            unit,
            found=f"{path} is gone: it does not start any more",
            remedy=f"systemctl enable {shlex.quote(unit)}",
        )


def ahead(path: str, command: str) -> Finding:
    return AHEAD.finding(
        path,
        found="its job waits for a time to come",
        remedy=f"{command} {shlex.quote(path)}",
    )
