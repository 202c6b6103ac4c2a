"""Settings and users of Redis instances that are not those of their files."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from pyinfra.context import host

from stagecraft.drift.areas import Looked
from stagecraft.drift.declared import Declared
from stagecraft.drift.findings import Finding, Severity
from stagecraft.drift.running.finding import environment_of, finding
from stagecraft.facts.redis import Instance, RedisFact
from stagecraft.run import this_run
from stagecraft.services import Redis

BY_DEFAULT = {"replicaof": ""}
"""What our files leave as it is, and who takes data away by Redis changes."""

IMPLIED = {"sanitize-payload", "resetchannels"}
"""What Redis adds to every user's rules."""

UNITS = {"kb": 2**10, "mb": 2**20, "gb": 2**30}


def redis_settings(declared: Declared) -> Looked:
    """`CONFIG SET` and `ACL SETUSER`, which the next start forgets."""
    found: list[Finding] = []
    for name, differences in differing(declared).items():
        for named, expected, now in differences:
            found.append(
                finding(
                    Severity.CRITICAL if named[0] == "Redis user" else Severity.HIGH,
                    named,
                    expected=expected,
                    found=now,
                    remedy=f"systemctl restart {Redis(name).unit}",
                    environment=environment_of(Redis(name).unit, declared),
                )
            )
    return Looked(found)


Difference = tuple[tuple[str, str], str, str]
"""Its kind and thing, what the files say, and what runs."""


def differing(declared: Declared) -> dict[str, list[Difference]]:
    """By site; not where files are not as declared, which is another finding."""
    sites = [site.name for site in declared.environment.sites]
    instances: dict[str, Instance] = host.get_fact(RedisFact, sites=sites)
    following = {service.unit for service in this_run().services if service.follows}
    return {
        name: differences
        for name, instance in instances.items()
        if Redis(name).unit not in following
        if (differences := list(differences_of(name, instance)))
    }


def differences_of(site: str, instance: Instance) -> Iterator[Difference]:
    if instance.refuses:
        yield ("Redis user", f"{site} stagecraft"), "lets the check look", "is gone, or another one"
    if not instance.answers:
        return
    for key, expected in (BY_DEFAULT | instance.declared_settings).items():
        now = instance.settings.get(key)
        if now is not None and plain(now) != plain(expected):
            yield ("Redis setting", f"{site} {key}"), f"{expected or 'nothing'}", f"is {now}"
    for name in sorted(instance.users.keys() | instance.declared_users.keys()):
        now_user, file_user = instance.users.get(name), instance.declared_users.get(name)
        if now_user is None:
            yield ("Redis user", f"{site} {name}"), "as in its file", "is gone"
        elif file_user is None:
            yield ("Redis user", f"{site} {name}"), "nobody of this name", "may log in"
        elif rights(now_user, instance.categories) != rights(file_user, instance.categories):
            yield ("Redis user", f"{site} {name}"), "as in its file", "has other rights"


def rights(rules: Iterable[str], categories: Mapping[str, set[str]]) -> tuple[bool, frozenset[str]]:
    """What a user's rules come to, however Redis words them (before 7.2 in words of its own):
    whether all commands are allowed or none, and the commands that are excepted from that, beside
    the rules that are not about commands."""
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
    """`64mb` as the bytes that Redis says."""
    size = re.fullmatch(r"(\d+)(kb|mb|gb)", value.lower())
    return str(int(size[1]) * UNITS[size[2]]) if size else value
