"""Files that are neither declared nor packaged, from vhosts to sudoers files."""

import re
import shlex
import string
from collections.abc import Callable, Iterator
from functools import cache
from posixpath import dirname, join, normpath

from stagecraft.drift.findings import Class, Coverage, Finding, Kind
from stagecraft.drift.judging.remedies import set_aside
from stagecraft.drift.judging.unmanaged import locations, made
from stagecraft.drift.looking.server import Declared, ask
from stagecraft.facts.unpackaged import UnpackagedFile, UnpackagedFilesFact
from stagecraft.paths import APPS, AS_FOUND, AUTHORIZED_KEYS, CERTIFICATES, MANIFESTS, SELF_SIGNED
from stagecraft.services import ANY, RUN_BY_US, pattern, replaced

OURS = ("/etc/stagecraft/", "/etc/nginx/stagecraft/", f"{CERTIFICATES}/", "/var/lib/stagecraft/")
"""There is no reason for others to put anything there."""

OWN_STATE = re.compile(
    rf"{MANIFESTS}/.+|{AS_FOUND}|/var/lib/stagecraft/revert[^/]*(?:/.+)?"
    r"|/var/lib/stagecraft/acme(?:/\.well-known(?:/acme-challenge(?:/[\w-]{20,})?)?)?"
    r"|(?:/etc|/run)/systemd/system/(?:.+/)?stagecraft-revert\.(?:service|timer)"
)
"""Files that runs keep and no manifest lists."""

OF_A_HOME = re.compile(
    r"releases|shared|current|current\.back|builds|assets|\.assets-.+|shared/(?:\.env|storage)"
)
"""What runs and releases keep in a site's home."""

GOING_ON = re.compile(
    r"/run/systemd/transient/(?:[^/]+\.scope|stagecraft-(?:action|step|boot)-(.+)\.(?:service|socket))"
)
"""Logins and other scopes, which start nothing by themselves, and releases: the group is a site."""

MASK_OF_A_RUN = re.compile(f"{pattern(replaced([ANY]))}|{RUN_BY_US}")
"""Units that runs mask or unmask; the plan reports those."""

COLLECTED = frozenset({locations.FILE, locations.LIBRARY, locations.BOOT_FILE, "program"})
"""Kinds of which somebody may bring a directory full."""

TYPED = frozenset(string.ascii_letters + string.digits + "/._-")


def files_of(area: str) -> Callable[[Declared], Iterator[Finding | Coverage]]:
    """Checks for files of the area's kinds, with one fact for all these areas."""

    def look(declared: Declared) -> Iterator[Finding | Coverage]:
        kinds, things = locations.AREAS[area], declared_things(declared)
        yield Coverage(declared=sum(kind in kinds for kind, _ in things))
        found = undeclared(ask(UnpackagedFilesFact), declared)
        yield from (finding for finding in found if finding.kind in kinds)

    return look


def unexplained(declared: Declared) -> dict[str, float]:
    """The paths of all findings here, with ctimes in seconds since the epoch, except those recorded
    by neighbours' runs."""
    left = (file for file in ask(UnpackagedFilesFact) if not explained(file, declared))
    return {file.path: file.since for file in left if not declared.recorded_by([file.path])}


def undeclared(files: list[UnpackagedFile], declared: Declared) -> Iterator[Finding]:
    """One finding per thing, however many files it has; a unit and the timer that starts it are
    one, because one command removes both."""
    left = [file for file in files if not explained(file, declared)]
    mixed = {file.top for file in set(files).difference(left)}
    pointed_at = {normpath(join(dirname(f.path), f.target)) for f in left if f.kind == "link"}
    things: dict[tuple[str, str], tuple[locations.Files, list[UnpackagedFile]]] = {}
    for file in left:
        location = locations.location_of(file)
        if file.path not in pointed_at or location.kind != locations.FILE:
            key = (location.kind, location.thing(file.path) or file.path)
            things.setdefault(key, (location, []))[1].append(file)
    for kind, thing in list(things):
        timer = (locations.TIMER, f"{thing.removesuffix('.service')}.timer")
        if kind == locations.UNIT and timer in things:
            things[timer][1].extend(things.pop((kind, thing))[1])
    for (_, thing), (location, own) in things.items():
        top = own[0].top
        loose = location.kind in COLLECTED and top not in mixed
        yield finding(location, thing, own, declared, top if loose else "")


def finding(
    location: locations.Files,
    thing: str,
    files: list[UnpackagedFile],
    declared: Declared,
    top: str = "",
) -> Finding:
    """Prefers the unit's own file over links that enable it, which systemd creates and no run
    records. `top` is the directory that somebody brought with it."""
    first = min(files, key=lambda file: file.kind == "link")
    paths, quoted = [file.path for file in files], shlex.quote(thing)
    installed = [path for path in paths if ".wants/" not in path] or paths
    return Kind(Class.UNMANAGED, location.kind).finding(
        thing,
        severity=location.severity,
        found=", ".join(map(described, files)),
        remedy=made.remedy(first)
        or location.remedy.format(path=" ".join(map(typed, files)), thing=quoted),
        refresh=location.refresh.format(thing=quoted),
        since=first.since,
        whole=top and f"in {top}",
        whole_remedy=set_aside(top) if top else "",
        recorded_by=declared.recorded_by(installed),
    )


def typed(file: UnpackagedFile) -> str:
    """The path as a shell word; an unprintable one in the form that `printf %b` reads."""
    if file.printable:
        return shlex.quote(file.path)
    path = file.path.encode("utf-8", "surrogateescape")
    return shlex.quote("".join(chr(b) if chr(b) in TYPED else f"\\0{b:03o}" for b in path))


def described(file: UnpackagedFile) -> str:
    if file.kind == "link":
        return f"{file.path}, a link to {file.target}"
    content = f", SHA-256 {file.sha256[:32]}…" if file.sha256 else ""
    return f"{file.path}, a {file.kind} of {file.owner}, mode {file.mode}{content}"


def explained(file: UnpackagedFile, declared: Declared) -> str:
    """Why the file may be there; empty if nobody knows."""
    location = locations.location_of(file)
    kind, thing = location.kind, location.thing(file.path)
    if kind in (locations.SETUID, locations.UNPRINTABLE):
        return ""
    if file.path in declared.paths:
        return "declared: a run of deploy.py manages it"
    if OWN_STATE.fullmatch(file.path):
        return "kept by runs"
    if going_on := GOING_ON.fullmatch(file.path):
        ours = going_on[1] is None or going_on[1] in declared.site_names
        return "a login or a release that is going on" if ours else ""
    brought = declared.image.marks.get(file.path, file.mark) == file.mark
    added = bool(declared.image.marks) and file.path not in declared.image.files
    if (made_by := made.reason(file)) and (not made.stays(file) or (brought and not added)):
        return f"made by itself: {made_by}"
    if location == locations.IN_A_HOME:
        site, _, name = file.path.removeprefix(f"{APPS}/").partition("/")
        ours = site in declared.site_names
        return "" if ours and not OF_A_HOME.fullmatch(name) else "a site's own"
    if file.path.startswith(OURS):
        directory, _, name = file.path.rpartition("/")
        ours = directory in (CERTIFICATES, SELF_SIGNED) and name in declared.site_names
        return "a site's certificate" if ours else ""
    if kind in locations.OF_THE_MACHINE and declared.settings.host is None:
        return "not checked: the machine is not declared (host:)"
    if kind in locations.FROM_IMAGES and file.path in declared.image.files:
        return "there on the server's first day, as it is" if brought else ""
    if kind == locations.MASK:
        return "a mask of our runs" if MASK_OF_A_RUN.fullmatch(file.name) else ""
    if ".wants/" in file.path and (kind, thing) in declared_things(declared):
        return "enables a declared unit"
    if kind == locations.CERTIFICATE and thing in declared.site_names:
        return "a site's certificate"
    keys = file.path.startswith(f"{AUTHORIZED_KEYS}/")
    return "keys, of which a run removes the undeclared ones" if keys else ""


def declared_things(declared: Declared) -> set[tuple[str, str | None]]:
    return things_at(declared.paths)


@cache
def things_at(paths: frozenset[str]) -> set[tuple[str, str | None]]:
    known = ((locations.location_of(UnpackagedFile(path)), path) for path in paths)
    return {(location.kind, location.thing(path)) for location, path in known}
