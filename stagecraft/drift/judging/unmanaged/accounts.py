"""Accounts, memberships and keys that nobody declared."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Iterator

from pyinfra.context import host

from stagecraft.drift.findings import Finding, Severity
from stagecraft.drift.judging.unmanaged.findings import unmanaged
from stagecraft.drift.looking.areas import Looked
from stagecraft.drift.looking.declared import Declared
from stagecraft.facts.admins import Account
from stagecraft.facts.logins import Key, Logins, LoginsFact
from stagecraft.settings import Host
from tasks.accounts import GROUP

AS_GOOD_AS_ROOT = ("sudo", "root", "disk", "shadow", "docker", "lxd", "libvirt", "kmem")
"""Groups whose members can read or become anything."""

TELLING = ("adm", "systemd-journal", "www-data", "staff")
"""Groups whose members see or change what others keep from them."""

SYNC = "/bin/sync"
"""The shell of Debian's account `sync`: it lets nobody in."""


def accounts(declared: Declared) -> Looked:
    settings = declared.settings.host
    if settings is None:
        return Looked()
    logins: Logins = host.get_fact(LoginsFact)
    foreign = foreign_accounts(logins, settings, declared.site_names)
    findings = [
        *(account(name, logins) for name in foreign),
        *memberships(logins, declared, foreign),
        *passwords(logins, foreign),
        *keys(logins, settings, foreign),
    ]
    known = len(settings.accounts) + len(declared.site_names)
    return Looked(findings, declared=known, total=known + len(foreign))


def foreign_accounts(logins: Logins, settings: Host, sites: Collection[str]) -> list[str]:
    """Those that let somebody in and that nobody declared. A site's own is its plan's affair. Who
    is in our group was declared once, and the next run removes them."""
    known = {"root", *settings.accounts, *sites, *logins.members.get(GROUP, ())}
    return [
        name
        for name, found in logins.accounts.items()
        if name not in known and (found.uid == 0 or admits(found))
    ]


def admits(found: Account) -> bool:
    return found.lets_in and found.shell != SYNC


def account(name: str, logins: Logins) -> Finding:
    found = logins.accounts[name]
    groups = sorted(group for group, members in logins.members.items() if name in members)
    root = found.uid == 0 or set(groups) & set(AS_GOOD_AS_ROOT)
    said = f"uid {found.uid}, shell {found.shell}"
    service = found.a_service and found.uid != 0
    return unmanaged(
        Severity.CRITICAL if root else Severity.HIGH,
        "account",
        name,
        expected="no shell: it is a service's" if service else "not there: nobody declared it",
        found=said + (f", in {', '.join(groups)}" if groups else ""),
        remedy=f"usermod --shell /usr/sbin/nologin {shlex.quote(name)}"
        if service
        else f"userdel {'--force ' if found.uid == 0 else ''}{shlex.quote(name)}",
    )


def memberships(logins: Logins, declared: Declared, foreign: list[str]) -> Iterator[Finding]:
    for group in (*AS_GOOD_AS_ROOT, *TELLING, *sorted(declared.site_names)):
        for name in sorted(logins.members.get(group, frozenset()) - {group, *foreign}):
            yield unmanaged(
                Severity.HIGH if group in TELLING else Severity.CRITICAL,
                "group member",
                f"{name} in {group}",
                found=f"{name} has all rights of the group {group}",
                remedy=f"gpasswd --delete {shlex.quote(name)} {shlex.quote(group)}",
            )


def passwords(logins: Logins, foreign: list[str]) -> Iterator[Finding]:
    """Root's own is the provider's, for its console."""
    for name, state in sorted(logins.passwords.items()):
        if name not in (*foreign, "root") or state == "empty":
            yield unmanaged(
                Severity.CRITICAL if state == "empty" else Severity.HIGH,
                "password",
                name,
                expected="none, and none that opens: people log in by key",
                found="an empty one" if state == "empty" else "it has one",
                remedy=f"usermod --password '!' {shlex.quote(name)}",
            )


def keys(logins: Logins, settings: Host, foreign: list[str]) -> Iterator[Finding]:
    """Those in homes. sshd reads only ours, but whoever brings another configuration lets them
    in again; the ones that bootstrap.py came by are somebody's who is declared."""
    known = {bare(line) for name in settings.accounts for line in settings.keys(name)}
    for key in logins.keys:
        if key.line not in known and key.account not in foreign:
            yield key_finding(key, logins)


def key_finding(key: Key, logins: Logins) -> Finding:
    home = logins.accounts[key.account].home
    blob = key.line.split(" ")[1]
    return unmanaged(
        Severity.HIGH,
        "authorized key",
        f"{key.account} {key.fingerprint}",
        found=f"a key of {key.comment or 'nobody who says so'} in {home}/.ssh/authorized_keys,"
        " where sshd does not look as it is declared",
        remedy=f"sed -i '\\|{blob}|d' {home}/.ssh/authorized_keys",
    )


def bare(line: str) -> str:
    """An authorized_keys line without its comment."""
    return " ".join(line.split(" ")[:2])
