"""Files that nobody declared and no package has brought: from a vhost to a sudoers file."""

from __future__ import annotations

import re
import shlex
import string
from collections.abc import Iterable, Iterator
from posixpath import dirname, join, normpath

from pyinfra.context import host

from stagecraft.drift.areas import Looked
from stagecraft.drift.declared import Declared
from stagecraft.drift.findings import Finding, Hearsay
from stagecraft.drift.unmanaged.findings import unless_recorded, unmanaged
from stagecraft.drift.unmanaged.places import (
    APT_KEY,
    APT_PIN,
    AT_JOB,
    CERTIFICATE,
    CRON_JOB,
    CRONTAB,
    DATABASE_SETTINGS,
    FILE,
    FPM_POOL,
    LINGERING,
    MASK,
    NGINX_MODULE,
    OVERRIDE,
    PAM,
    PHP_SETTINGS,
    PRELOADED,
    PROGRAM,
    REDIS_INSTANCE,
    SETUID,
    SITE_DIRECTORY,
    SSHD,
    START_SCRIPT,
    SUDOERS,
    TIMER,
    UNIT,
    UNPRINTABLE,
    VHOST,
    Place,
    made_by_packages,
    place_of,
    place_of_path,
)
from stagecraft.facts.strays import Stray, Strays
from stagecraft.paths import AS_FOUND, AUTHORIZED_KEYS, CERTIFICATES, MANIFESTS, SELF_SIGNED
from stagecraft.services import ANY, RUN_BY_US, pattern, replaced

OF_THE_MACHINE = frozenset(
    {
        APT_KEY,
        APT_PIN,
        DATABASE_SETTINGS,
        FILE,
        LINGERING,
        MASK,
        PAM,
        PROGRAM,
        SSHD,
        START_SCRIPT,
        SUDOERS,
    }
)
"""Somebody else's affair on a machine for which `host` is not declared."""

OF_THE_IMAGE = frozenset(
    {APT_PIN, FILE, LINGERING, MASK, NGINX_MODULE, OVERRIDE, PROGRAM, START_SCRIPT, TIMER, UNIT}
)
"""What a provider's image may have brought; the way in that it has is worth a look still."""

OURS = ("/etc/stagecraft/", "/etc/nginx/stagecraft/", f"{CERTIFICATES}/", "/var/lib/stagecraft/")
"""Nobody else has a reason to put anything there."""

OWN_STATE = re.compile(
    rf"{MANIFESTS}/.+|{AS_FOUND}|/var/lib/stagecraft/(?:revert[^/]*|acme)(?:/.+)?"
    r"|(?:/etc|/run)/systemd/system/(?:.+/)?stagecraft-revert\.(?:service|timer)"
)
"""What runs keep and no manifest lists."""

MASK_OF_A_RUN = re.compile(f"{pattern(replaced([ANY]))}|{RUN_BY_US}")
"""Units that runs mask, and those whose mask a run takes away: the plan tells of it."""

TYPED = frozenset(string.ascii_letters + string.digits + "/._-")

Things = dict[tuple[str, str], tuple[Place, list[Stray]]]
"""The files of each, and where they stand, by kind and name."""


def vhosts(declared: Declared) -> Looked:
    return look_for(declared, VHOST, NGINX_MODULE)


def fpm_pools(declared: Declared) -> Looked:
    return look_for(declared, FPM_POOL, PHP_SETTINGS)


def redis_instances(declared: Declared) -> Looked:
    return look_for(declared, REDIS_INSTANCE)


def cron_jobs(declared: Declared) -> Looked:
    return look_for(declared, CRON_JOB, CRONTAB, AT_JOB)


def units(declared: Declared) -> Looked:
    return look_for(declared, UNIT, TIMER, OVERRIDE, MASK, LINGERING, START_SCRIPT)


def certificates(declared: Declared) -> Looked:
    return look_for(declared, CERTIFICATE)


def site_directories(declared: Declared) -> Looked:
    return look_for(declared, SITE_DIRECTORY)


def rights(declared: Declared) -> Looked:
    """Files that let somebody in, make somebody root, or hide behind their names."""
    return look_for(declared, SUDOERS, SSHD, PAM, PRELOADED, SETUID, UNPRINTABLE)


def other_files(declared: Declared) -> Looked:
    return look_for(declared, PROGRAM, DATABASE_SETTINGS, FILE)


def look_for(declared: Declared, *kinds: str) -> Looked:
    """The files of these kinds, by the one fact that all these areas share."""
    strays: list[Stray] = host.get_fact(Strays)
    findings = [finding for finding in undeclared(strays, declared) if finding.kind in kinds]
    known = {
        (place.kind, place.thing(path))
        for path in declared.paths
        if (place := place_of_path(path)).kind in kinds
    }
    told = [finding for finding in findings if not isinstance(finding, Hearsay)]
    return Looked(findings, declared=len(known), total=len(known) + len(told))


def unexplained(declared: Declared) -> dict[str, float]:
    """The paths of all findings here, and when each last changed, in seconds since the epoch;
    without those that a neighbour's runs have recorded."""
    strays: list[Stray] = host.get_fact(Strays)
    left = [stray for stray in strays if not explained(stray, declared)]
    return {stray.path: stray.since for stray in left if not declared.recorded_by([stray.path])}


def undeclared(strays: Iterable[Stray], declared: Declared) -> Iterator[Finding]:
    """One finding for each thing, however many files it consists of."""
    left = [stray for stray in strays if not explained(stray, declared)]
    pointed_at = {pointed(stray) for stray in left if stray.kind == "link"}
    things: Things = {}
    for stray in left:
        place = place_of(stray)
        thing = place.thing(stray.path) or stray.path
        if stray.path not in pointed_at or place.kind != FILE:
            things.setdefault((place.kind, thing), (place, []))[1].append(stray)
    for (_, thing), (place, files) in units_with_their_timers(things).items():
        yield unless_recorded(finding(place, thing, files), installed(files), declared)


def installed(files: Iterable[Stray]) -> list[str]:
    """The paths that a run would record: systemd makes the links that enable a unit."""
    paths = [stray.path for stray in files]
    return [path for path in paths if ".wants/" not in path] or paths


def units_with_their_timers(things: Things) -> Things:
    """The files of a unit that a timer starts are the timer's: both go with one command."""
    folded = dict(things)
    for (kind, thing), (_, files) in things.items():
        timer = (TIMER, f"{thing.removesuffix('.service')}.timer")
        if kind == UNIT and timer in things:
            place, own = things[timer]
            folded[timer] = (place, [*own, *files])
            del folded[kind, thing]
    return folded


def finding(place: Place, thing: str, files: list[Stray]) -> Finding:
    """Links that enable a unit say less of it than its own file does."""
    first = min(files, key=lambda stray: stray.kind == "link")
    return unmanaged(
        place.severity,
        place.kind,
        thing,
        found=", ".join(described(stray) for stray in files),
        remedy=place.remedy.format(path=" ".join(map(typed, files)), thing=shlex.quote(thing)),
        refresh=place.refresh.format(thing=shlex.quote(thing)),
        since=first.since,
    )


def typed(stray: Stray) -> str:
    """The path as a word that people can type, an unprintable one as `printf %b` reads it."""
    if stray.printable:
        return shlex.quote(stray.path)
    path = stray.path.encode("utf-8", "surrogateescape")
    return shlex.quote("".join(chr(b) if chr(b) in TYPED else f"\\0{b:03o}" for b in path))


def described(stray: Stray) -> str:
    if stray.kind == "link":
        return f"{stray.path}, a link to {stray.target}"
    return f"{stray.path}, a {stray.kind} of {stray.owner}, mode {stray.mode}"


def pointed(stray: Stray) -> str:
    return normpath(join(dirname(stray.path), stray.target))


def explained(stray: Stray, declared: Declared) -> bool:
    """Whether somebody has declared it, Debian made it, or a run looks after it."""
    place = place_of(stray)
    thing = place.thing(stray.path)
    if place.kind in (SETUID, UNPRINTABLE):
        return False
    if stray.path in declared.paths or made_by_packages(stray) or OWN_STATE.fullmatch(stray.path):
        return True
    if stray.path.startswith(OURS):
        return certificate_of_a_site(stray.path, declared)
    if place.kind in OF_THE_MACHINE and declared.settings.host is None:
        return True
    if place.kind in OF_THE_IMAGE and stray.path in declared.image.files:
        return True
    if place.kind == MASK:
        return bool(MASK_OF_A_RUN.fullmatch(stray.name))
    if ".wants/" in stray.path:
        return (place.kind, thing) in declared_things(declared)
    if place.kind == CERTIFICATE:
        return thing in declared.site_names
    return stray.path.startswith(f"{AUTHORIZED_KEYS}/")  # a run takes away whom nobody declares


def certificate_of_a_site(path: str, declared: Declared) -> bool:
    directory, _, name = path.rpartition("/")
    return directory in (CERTIFICATES, SELF_SIGNED) and name in declared.site_names


def declared_things(declared: Declared) -> set[tuple[str, str | None]]:
    places = ((place_of_path(path), path) for path in declared.paths)
    return {(place.kind, place.thing(path)) for place, path in places}
