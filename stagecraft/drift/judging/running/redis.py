"""Settings and users of Redis instances that differ from their files."""

import re
from collections.abc import Iterable, Iterator, Mapping

from stagecraft.drift.findings import Class, Finding, Kind, Severity
from stagecraft.drift.looking.server import Declared, ask
from stagecraft.facts.redis import Instance, RedisFact
from stagecraft.run import this_run
from stagecraft.services import Redis
from stagecraft.settings.values import size_in_bytes

SETTING = Kind(Class.RUNNING, "Redis setting")
USER = Kind(Class.RUNNING, "Redis user", "as in its file", Severity.CRITICAL)

BY_DEFAULT = {
    # Sends the data elsewhere, or takes it from there.
    **dict.fromkeys(("replicaof", "masteruser", "masterauth", "notify-keyspace-events"), ""),
    "replica-read-only": "yes",
    "min-replicas-to-write": "0",
    # Lets others in.
    **{"tls-port": "0", "protected-mode": "yes", "requirepass": ""},
    "acl-pubsub-default": "resetchannels",
    # Loads code, or writes to files of any name.
    **dict.fromkeys(
        ("enable-module-command", "enable-debug-command", "enable-protected-configs"), "no"
    ),
    "dbfilename": "dump.rdb",
    # Hides what was done.
    **{"loglevel": "notice", "slowlog-log-slower-than": "10000", "slowlog-max-len": "128"},
    **{"acllog-max-len": "128", "crash-log-enabled": "yes"},
    "proc-title-template": "{title} {listen-addr} {server-mode}",
    # Loses data, or stops serving it.
    **{"stop-writes-on-bgsave-error": "yes", "no-appendfsync-on-rewrite": "no"},
    **{"aof-load-truncated": "yes", "timeout": "0", "lua-time-limit": "5000"},
}
"""Left at their defaults by our files, in Redis 7 and 8."""

IMPLIED = {"sanitize-payload", "resetchannels"}
"""Added by Redis to every user's rules."""


def redis_settings(declared: Declared) -> Iterator[Finding]:
    """`CONFIG SET` and `ACL SETUSER`, which the next start discards. Skips sites whose files
    changed, which are other findings."""
    environments = {site.name: site.environment for site in declared.environment.sites}
    following = {service.unit for service in this_run().services if service.follows}
    for site, instance in ask(RedisFact, sites=list(environments)).items():
        if Redis(site).unit not in following:
            yield from differences(site, instance, environments[site])


def differences(site: str, instance: Instance, environment: str) -> Iterator[Finding]:
    def differs(kind: Kind, name: str, found: str, expected: str = "") -> Finding:
        return kind.finding(
            f"{site} {name}",
            expected=expected,
            found=found,
            remedy=f"systemctl restart {Redis(site).unit}",
            environment=environment,
        )

    if instance.refuses:
        yield differs(USER, "stagecraft", "missing, or with other rights", "lets the check log in")
    if not instance.answers:
        return
    for key, expected in (BY_DEFAULT | instance.declared_settings).items():
        now = instance.settings.get(key)
        if now is not None and plain(now) != plain(expected):
            yield differs(SETTING, key, f"is {now}", expected or "nothing")
    for name in sorted(instance.users.keys() | instance.declared_users.keys()):
        now_user, file_user = instance.users.get(name), instance.declared_users.get(name)
        if now_user is None:
            yield differs(USER, name, "missing")
        elif file_user is None:
            yield differs(USER, name, "may log in", "no such user")
        elif rights(now_user, instance.categories) != rights(file_user, instance.categories):
            yield differs(USER, name, "has other rights")


def rights(rules: Iterable[str], categories: Mapping[str, set[str]]) -> tuple[bool, frozenset[str]]:
    """The effect of a user's rules in any spelling (Redis before 7.2 prints its own): whether all
    commands are allowed or none, the exceptions from that, and the rules that are not about
    commands."""
    everything, excepted, others = False, set[str](), set[str]()
    for rule in rules:
        allowed, name = rule[0] == "+", rule[1:]
        if rule[0] not in "+-":
            others.add(rule)
        elif name == "@all":
            everything, excepted = allowed, set()
        else:
            named = categories.get(name.removeprefix("@"), {name}) if name[0] == "@" else {name}
            excepted = excepted - named if allowed == everything else excepted | named
    whole = {name for name in excepted if name.partition("|")[0] not in excepted - {name}}
    return everything, frozenset(whole | others - IMPLIED)


def plain(value: str) -> str:
    """Converts `64mb` to bytes, as Redis prints it."""
    return str(size_in_bytes(value)) if re.fullmatch(r"(?i)\d+[kmg]b", value) else value
