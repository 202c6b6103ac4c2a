"""Undeclared accounts, memberships and keys, and processes that run as another service's user."""

import shlex
from collections.abc import Collection, Iterator

from stagecraft.drift.findings import Class, Coverage, Finding, Kind, Severity
from stagecraft.drift.looking.plan import require_plan
from stagecraft.drift.looking.server import Declared, ask
from stagecraft.facts.logins import Logins, LoginsFact
from stagecraft.facts.neighbours import OPENS_SOCKETS
from stagecraft.run import this_run
from stagecraft.services import Ci
from stagecraft.settings import Host
from stagecraft.settings.host import GROUP

ACCOUNT = Kind(Class.UNMANAGED, "account")
MEMBER = Kind(Class.UNMANAGED, "group member")
PASSWORD = Kind(Class.UNMANAGED, "password", "none: people log in with keys")
KEY = Kind(Class.UNMANAGED, "authorized key")
AS_NGINX = Kind(Class.UNMANAGED, "process as www-data", "only nginx")

AS_GOOD_AS_ROOT = ("sudo", "root", "disk", "shadow", "docker", "lxd", "libvirt", "kmem")
"""Groups whose members can read everything or become root."""

TELLING = ("adm", "systemd-journal", "www-data", "staff")
"""Groups whose members can see or change data of others."""


def accounts(declared: Declared) -> Iterator[Finding | Coverage]:
    """Undeclared ones that allow a login. Excludes those of sites and of CI, which the plan reports
    unless they are root, and members of our group, who were declared once and whom the next run
    removes."""
    settings = declared.settings.host
    if settings is None:
        return
    logins, sites = ask(LoginsFact), declared.site_names
    people = {"root", *settings.accounts, *logins.members.get(GROUP, ())}
    services = {*sites, *(name for name, found in logins.accounts.items() if found.home == Ci.home)}
    # /bin/sync, the shell of Debian's account `sync`, allows no login.
    foreign = [
        name
        for name, found in logins.accounts.items()
        if (found.uid == 0 and name not in people)
        or (found.lets_in and name not in people | services and found.shell != "/bin/sync")
    ]
    count = len(settings.logins) + len(sites)
    yield Coverage(declared=count, total=count + len(foreign))
    yield from (account(name, logins) for name in foreign)
    yield from memberships(logins, sites, foreign)
    yield from passwords(logins, foreign)
    yield from keys(logins, settings, foreign)


def account(name: str, logins: Logins) -> Finding:
    found = logins.accounts[name]
    groups = sorted(group for group, members in logins.members.items() if name in members)
    root = found.uid == 0 or set(groups) & set(AS_GOOD_AS_ROOT)
    service = found.a_service and found.uid != 0
    remove = "userdel --force" if found.uid == 0 else "userdel"
    return ACCOUNT.finding(
        name,
        severity=Severity.CRITICAL if root else Severity.HIGH,
        expected="no login shell: it is a service account" if service else "",
        found=f"uid {found.uid}, shell {found.shell}" + f", in {', '.join(groups)}" * bool(groups),
        remedy=f"{'usermod --shell /usr/sbin/nologin' if service else remove} {shlex.quote(name)}",
    )


def memberships(logins: Logins, sites: Collection[str], foreign: list[str]) -> Iterator[Finding]:
    for group in (*AS_GOOD_AS_ROOT, *TELLING, *sorted(sites)):
        for name in sorted(logins.members.get(group, frozenset()) - {group, *foreign}):
            yield MEMBER.finding(
                f"{name} in {group}",
                severity=Severity.HIGH if group in TELLING else Severity.CRITICAL,
                found=f"{name} has all rights of the group {group}",
                remedy=f"gpasswd --delete {shlex.quote(name)} {shlex.quote(group)}",
            )


def passwords(logins: Logins, foreign: list[str]) -> Iterator[Finding]:
    """Excludes root's own, which is the provider's, for its console."""
    for name, state in sorted(logins.passwords.items()):
        if state == "empty" or name not in (*foreign, "root"):
            yield PASSWORD.finding(
                name,
                severity=Severity.CRITICAL if state == "empty" else Severity.HIGH,
                found=state,
                remedy=f"usermod --password '!' {shlex.quote(name)}",
            )


def keys(logins: Logins, settings: Host, foreign: list[str]) -> Iterator[Finding]:
    """Keys in homes. sshd only reads ours, but another configuration would accept them again. The
    keys that bootstrap.py used belong to declared people."""
    lines = (line for name in settings.accounts for line in settings.keys(name))
    known = {" ".join(line.split(" ")[:2]) for line in lines}  # without comments
    for key in logins.keys:
        if key.line not in known and key.account not in foreign:
            file = f"{logins.accounts[key.account].home}/.ssh/authorized_keys"
            yield KEY.finding(
                f"{key.account} {key.fingerprint}",
                found=f"a key of {key.comment or 'nobody who says so'} in {file}, where sshd, as it"
                " is declared, does not look",
                remedy=f"sed -i '\\|{key.line.split(' ')[1]}|d' {file}",
            )


def processes_as_nginx(declared: Declared) -> Iterator[Finding]:
    """For instance a pool of Debian's own PHP-FPM next to somebody else's production: with nginx's
    user, it has nginx's rights."""
    require_plan()
    for what in this_run().neighbours.as_nginx:
        yield AS_NGINX.finding(
            what,
            found=f"it {OPENS_SOCKETS}",
            remedy="grep -rnE '(user|User|USER).*www-data' /etc/php /etc/systemd /etc/apache2"
            "  # give it another user and restart it, or waive it",
        )
