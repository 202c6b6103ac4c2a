"""Accounts, groups, names and certificates by which the server knows and trusts others."""

import re
import shlex
from collections.abc import Collection, Iterator

from stagecraft.drift import NIGHTLY
from stagecraft.drift.findings import Class, Finding, Kind, Severity
from stagecraft.drift.judging.unmanaged.accounts import (
    ACCOUNT,
    AS_GOOD_AS_ROOT,
    MEMBER,
    PASSWORD,
    TELLING,
)
from stagecraft.drift.looking.server import Declared, ask
from stagecraft.errors import ServerError
from stagecraft.facts.accounts import FIRST_PERSON, Account
from stagecraft.facts.identity import Fields, Identity, IdentityFact
from stagecraft.services import Ci, Services
from stagecraft.settings.host import GROUP

WITHOUT_PYTHON = "the server has no python3, which reads this: run deploy.py"

FIELD = Kind(Class.UNMANAGED, "account field")
AGEING = Kind(Class.UNMANAGED, "password ageing", "as /etc/login.defs says", Severity.LOW)
GROUP_PASSWORD = Kind(Class.UNMANAGED, "group password", "none: nobody joins with one")
ADMINISTRATOR = Kind(Class.UNMANAGED, "group administrator", "none: only root adds members")
SAME_ID = Kind(Class.UNMANAGED, "same id", "an id of its own")
ID_RANGE = Kind(Class.UNMANAGED, "id range", "the one range that useradd gives to people")
NAMES = Kind(Class.UNMANAGED, "name service", "as Debian has it")
HOST = Kind(Class.UNMANAGED, "host name", "resolvers say what a name means")
LOGIN = Kind(Class.UNMANAGED, "trusted login", severity=Severity.CRITICAL)
KNOWN_HOST = Kind(Class.UNMANAGED, "known host", severity=Severity.LOW)
AUTHORITY = Kind(Class.UNMANAGED, "certificate authority", "those of ca-certificates")

BY_SCRIPTS = {
    "sshd": "openssh-server",
    "messagebus": "dbus",
    "mysql": "mysql-common",
    "redis": "redis-server",
    "polkitd": "polkitd",
    "uuidd": "uuid-runtime",
    "tcpdump": "tcpdump",
    "_chrony": "chrony",
    "ntpsec": "ntpsec",
    "systemd-timesync": "systemd-timesyncd",
    "systemd-resolve": "systemd-resolved",
    "systemd-coredump": "systemd-coredump",
    "Debian-exim": "exim4-config",
    "postfix": "postfix",
    "dovecot": "dovecot-core",
    "dovenull": "dovecot-core",
    "opendkim": "opendkim",
    "memcache": "memcached",
    "postgres": "postgresql-common",
    "dnsmasq": "dnsmasq-base",
    "unbound": "unbound",
    "haproxy": "haproxy",
    "prometheus": "prometheus-node-exporter",
    "zabbix": "zabbix-agent",
    "_rpc": "rpcbind",
    "statd": "nfs-common",
    "avahi": "avahi-daemon",
    "rtkit": "rtkit",
}
"""Accounts that maintainer scripts make without sysusers.d, by the package of the script."""

SERVICE_HOME = re.compile(r"/|/nonexistent|(?:/var)?/run/.+|/var/(?:lib|spool|log|cache)/.+")

AGES = {"least": ("PASS_MIN_DAYS", "0"), "most": ("PASS_MAX_DAYS", "99999"),
        "warning": ("PASS_WARN_AGE", "7")}  # fmt: skip

SHELLS = frozenset(
    f"{place}/{shell}"
    for place in ("/bin", "/usr/bin")
    for shell in ("bash", "dash", "sh", "zsh", "fish")
)

BUNDLE = "/etc/ssl/certs/ca-certificates.crt"

USERS_RANGE = 65536
FIRST_RANGE = 100000

IDENTITIES = frozenset({"passwd", "group", "shadow", "gshadow", "initgroups", "sudoers"})
"""Databases of nsswitch.conf that decide who is who."""

SOURCES = {
    **dict.fromkeys(IDENTITIES, frozenset({"files", "systemd"})),
    "hosts": frozenset({"files", "dns", "myhostname", "mymachines", "resolve", "mdns4_minimal",
                        "mdns_minimal", "[NOTFOUND=return]", "[!UNAVAIL=return]"}),
}  # fmt: skip
OTHER_SOURCES = frozenset({"files", "db", "nis", "dns"})

LOOPBACK = re.compile(r"127\.\d+\.\d+\.\d+|::1|f[ef]0[0-2]::\d?")
LOCAL_NAMES = re.compile(r"localhost\S*|ip6-\S+")


def identities(declared: Declared) -> Iterator[Finding]:
    """Nothing without `host`: people and names of such a machine are somebody else's."""
    host = declared.settings.host
    if host is None:
        return
    identity = ask(IdentityFact)
    if not identity.found:
        raise ServerError(WITHOUT_PYTHON)
    seen = identity.since(declared.image.things)
    yield from accounts(seen, identity, declared.site_names, host.logins)
    yield from fields(identity, host.accounts)
    yield from passwords(identity)
    yield from groups(seen, identity, declared.site_names)
    yield from ranges(identity)
    yield from names(seen)
    yield from hosts(seen, identity)
    yield from trust(seen)


def accounts(
    seen: Identity, identity: Identity, sites: Collection[str], people: Collection[str]
) -> Iterator[Finding]:
    """Those that cannot log in; others have findings of their own."""
    ours = {user for site in sites for user in Services(site).users} | {*people, NIGHTLY}
    known = ours | identity.names("fixed") | of_packages(identity)
    managed = {name for group, name in identity.of("member") if group == GROUP}
    known |= managed | {name for name, _ in doubles(identity)}
    for name, its in seen.accounts().items():
        closed = not Account(0, "", its.shell).lets_in and its.uid != "0" and its.home != Ci.home
        if closed and name not in known:
            yield ACCOUNT.finding(
                name,
                severity=Severity.LOW,
                found=f"uid {its.uid}, home {its.home}, shell {its.shell}: no package's, no site's",
                remedy=f"userdel {shlex.quote(name)}",
            )
    for name, first in doubles(identity):
        yield SAME_ID.finding(
            name,
            found=f"it is {first} by another name",
            remedy=f"sed -i '/^{re.escape(name)}:/d' /etc/passwd /etc/shadow",
        )


def of_packages(identity: Identity) -> set[str]:
    packages = identity.names("package")
    by_scripts = {name for name, package in BY_SCRIPTS.items() if package in packages}
    return by_scripts | identity.names("sysusers")


def doubles(identity: Identity) -> list[tuple[str, str]]:
    """Accounts with the id of an earlier one, and that. Other checks report those of root."""
    first: dict[str, str] = {"0": ""}
    found = [(name, first.setdefault(its.uid, name)) for name, its in identity.accounts().items()]
    return [(name, other) for name, other in found if other not in ("", name)]


def fields(identity: Identity, people: Collection[str]) -> Iterator[Finding]:
    """Excludes shells by which somebody could log in, which are findings about the account."""
    fixed, packages = identity.accounts("fixed"), of_packages(identity)
    for name, its in identity.accounts().items():
        wanted = its
        if name in fixed:
            wanted = fixed[name]
        elif name in people:
            wanted = Fields(its.uid, its.gid, f"/home/{name}", "/bin/bash")
        elif name in packages and not SERVICE_HOME.fullmatch(its.home):
            wanted = its._replace(home="/nonexistent")
        for place, field in enumerate(Fields._fields, start=2):
            found, expected = getattr(its, field), getattr(wanted, field)
            if found != expected and not (field == "shell" and fine(name, found, people)):
                before = rf"{re.escape(name)}(:[^:]*){{{place - 1 + (place > 3)}}}"
                edit = rf"s|^({before}):[^:]*|\1:{expected}|"
                yield FIELD.finding(
                    f"{name} {field}",
                    severity=Severity.CRITICAL if name == "root" else Severity.HIGH,
                    expected=expected,
                    found=found,
                    remedy=f"sed -i -E {shlex.quote(edit)} /etc/passwd",
                )


def fine(name: str, shell: str, people: Collection[str]) -> bool:
    """Whether it is a usual shell, or other findings are about it."""
    lets_in = Account(0, "", shell).lets_in
    if name in people:  # the plan admits them
        return shell in SHELLS or not lets_in
    return shell in SHELLS if name == "root" else lets_in


def passwords(identity: Identity) -> Iterator[Finding]:
    for name, state in identity.of("password"):
        yield PASSWORD.finding(
            f"{name} in /etc/passwd",
            severity=Severity.CRITICAL,
            expected="in /etc/shadow, and none there",
            found=state,
            remedy=f"sed -i -E 's/^({re.escape(name)}):[^:]*/\\1:x/' /etc/passwd",
        )
    defaults = dict(identity.of("default"))
    for name, value in identity.of("ageing"):
        _, least, most, warning, inactive, expires = value.split(":")
        found = {"least": least, "most": most, "warning": warning}
        odd = [
            f"{age} {found[age]}"
            for age, (option, usual) in AGES.items()
            if found[age] not in ("", usual, defaults.get(option, usual))
        ]
        odd += [f"{inactive} days after it has expired it is locked"] * bool(inactive)
        odd += ["it expires"] * (expires not in ("", "1"))  # 1 is that of systemd-sysusers
        if odd:
            yield AGEING.finding(
                name,
                found=", ".join(odd),
                remedy=f"chage -m 0 -M 99999 -W 7 -I -1 -E -1 {shlex.quote(name)}",
            )


def groups(seen: Identity, identity: Identity, sites: Collection[str]) -> Iterator[Finding]:
    """Excludes groups whose members the accounts' area knows, as far as /etc/group has them."""
    known = identity.of("sysusers member")
    special = {*AS_GOOD_AS_ROOT, *TELLING, *sites, GROUP}
    for group, name in seen.of("member"):
        if group not in special and (group, name) not in known and name != group:
            yield member(name, group, Severity.LOW, "gpasswd --delete {name} {group}")
    by_id: dict[str, list[str]] = {}
    for group, gid in identity.of("group"):
        by_id.setdefault(gid, []).append(group)
    for alike in by_id.values():
        for group in alike[1:]:
            powerful = {alike[0], group} & {*AS_GOOD_AS_ROOT, *sites, GROUP}
            yield SAME_ID.finding(
                group,
                severity=Severity.CRITICAL if powerful else Severity.HIGH,
                found=f"its members have the rights of {alike[0]}",
                remedy=f"sed -i '/^{re.escape(group)}:/d' /etc/group /etc/gshadow",
            )
    known_well = identity.names("fixed") | {name for name, _ in doubles(identity)}
    for name, its in identity.accounts().items():
        group = by_id.get(its.gid, [name])[0]
        if group in special and group != name and name not in known_well and its.uid != "0":
            severity = Severity.HIGH if group in TELLING else Severity.CRITICAL
            own = name if name in identity.names("group") else "nogroup"
            yield member(name, group, severity, f"usermod --gid {shlex.quote(own)} {{name}}")
    for group in sorted(identity.names("group password")):
        yield GROUP_PASSWORD.finding(
            group,
            severity=Severity.CRITICAL if group in {*AS_GOOD_AS_ROOT, GROUP} else Severity.HIGH,
            found="whoever knows it is a member",
            remedy=f"gpasswd --restrict {shlex.quote(group)}",
        )
    for group, name in identity.of("administrator"):
        yield ADMINISTRATOR.finding(
            f"{name} of {group}",
            severity=Severity.CRITICAL if group in {*AS_GOOD_AS_ROOT, GROUP} else Severity.HIGH,
            found=f"{name} adds members",
            remedy=f"gpasswd --administrators '' {shlex.quote(group)}",
        )


def member(name: str, group: str, severity: Severity, remedy: str) -> Finding:
    return MEMBER.finding(
        f"{name} in {group}",
        severity=severity,
        found=f"{name} has all rights of the group {group}",
        remedy=remedy.format(name=shlex.quote(name), group=shlex.quote(group)),
    )


def ranges(identity: Identity) -> Iterator[Finding]:
    """Whoever has a range of ids can act as each of them, in a namespace of their own."""
    ids = {name: int(its.uid) for name, its in identity.accounts().items()}
    # useradd also gives one to another account of root's, which is a finding itself.
    people = {name for name, uid in ids.items() if uid >= FIRST_PERSON or uid == 0}
    for file in ("subuid", "subgid"):
        starts: set[int] = set()
        for line in sorted(identity.names(file)):
            name, start, count = [*line.split(":"), "", ""][:3]
            usual = name in people and count == str(USERS_RANGE) and start.isdigit()
            first = int(start) if start.isdigit() else 0
            if usual and first >= FIRST_RANGE and first not in starts:
                starts.add(first)
                continue
            yield ID_RANGE.finding(
                f"{file} {line}",
                severity=Severity.CRITICAL if first < FIRST_RANGE else Severity.HIGH,
                found=f"{name} can act as {count} others, from {start} on",
                remedy=f"sed -i {shlex.quote(f'/^{re.escape(line)}$/d')} /etc/{file}",
            )


def names(seen: Identity) -> Iterator[Finding]:
    for database, sources in seen.of("names"):
        known = SOURCES.get(database, OTHER_SOURCES)
        if odd := [source for source in sources.split() if source not in known]:
            wanted = " ".join(source for source in sources.split() if source in known) or "files"
            edit = f"s/^{re.escape(database)}:.*/{database}: {wanted}/"
            yield NAMES.finding(
                database,
                severity=Severity.CRITICAL if database in IDENTITIES else Severity.HIGH,
                expected=wanted,
                found=f"also asks {', '.join(odd)}",
                remedy=f"sed -i {shlex.quote(edit)} /etc/nsswitch.conf",
            )


def hosts(seen: Identity, identity: Identity) -> Iterator[Finding]:
    """This machine's own name may have its own addresses; we cannot tell the public ones of a
    machine behind a router, which the first day has."""
    [own] = identity.names("hostname") or {""}
    for address, called in seen.of("host"):
        others = [
            name
            for name in called.split()
            if name.split(".")[0] != own.split(".")[0]
            and not (LOOPBACK.fullmatch(address) and LOCAL_NAMES.fullmatch(name))
        ]
        if others:
            edit = rf"/^[[:space:]]*{re.escape(address)}[[:space:]].*{re.escape(others[0])}/d"
            yield HOST.finding(
                f"{' '.join(others)} {address}",
                found=f"/etc/hosts says that {', '.join(others)} is {address}",
                remedy=f"sed -i -E {shlex.quote(edit)} /etc/hosts",
            )


def trust(seen: Identity) -> Iterator[Finding]:
    for path in sorted(seen.names("trusted login")):
        yield LOGIN.finding(
            path, found="it names who may log in without a key", remedy=f"rm {shlex.quote(path)}"
        )
    for line in sorted(seen.names("known host")):
        edit = rf"\|^{re.escape(line)}|d"
        yield KNOWN_HOST.finding(
            line.split(" ")[0],
            found=f"root trusts {line[:60]}",
            remedy=f"sed -i {shlex.quote(edit)} /root/.ssh/known_hosts",
        )
    for path in sorted(seen.names("authority")):
        remove = "" if path == BUNDLE else f"rm {shlex.quote(path)} && "
        yield AUTHORITY.finding(
            path,
            found="programs believe what it has signed, and it is of no package",
            remedy=f"{remove}update-ca-certificates --fresh",
        )
