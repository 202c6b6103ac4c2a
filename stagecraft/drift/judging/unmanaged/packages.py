"""Manually installed or held packages, changed files of packages, and apt's archives, with their
keys and pins."""

from __future__ import annotations

import re
import shlex
from collections.abc import Collection, Iterator, Mapping

from stagecraft.drift.findings import PACKAGE_FILE, Class, Coverage, Finding, Kind, Severity
from stagecraft.drift.judging.remedies import set_aside
from stagecraft.drift.judging.unmanaged.files import files_of, unless_recorded
from stagecraft.drift.judging.unmanaged.locations import APT, APT_SOURCE, refresh_of
from stagecraft.drift.looking.server import Declared, ask
from stagecraft.facts.apt_sources import AptSourcesFact, Source, Sources
from stagecraft.facts.package_files import PackageFile, PackageFilesFact
from stagecraft.facts.packages import Package, PackagesFact
from stagecraft.packages import wanted

PACKAGE = Kind(Class.UNMANAGED, "package", severity=Severity.LOW)
HOLD = Kind(Class.UNMANAGED, "package hold", "not held")

DECISIVE = re.compile(
    r"/etc/(?:ssh|pam\.d|security|sudoers\.d|php|nginx)/.*|/etc/(?:sudoers|login\.defs)"
)
"""Files that decide who gets in, or what the sites run."""

GENERATED = re.compile(r"/etc/ssh/moduli|/etc/locale\.gen|/etc/(?:issue|issue\.net|motd)")
"""Configuration that our runs or packages' own scripts regenerate."""


def packages(declared: Declared) -> Iterator[Finding | Coverage]:
    if declared.settings.host is None:
        return
    installed = ask(PackagesFact)
    known = declared_packages(declared)
    yield from undeclared_packages(installed, known)
    manual = {name for name, package in installed.items() if package.manual}
    yield Coverage(declared=len(manual & known), total=len(manual))


def declared_packages(declared: Declared) -> set[str]:
    names = {name for env in declared.environments for name in wanted(env, declared.machine)}
    return names.union(declared.image.packages, *(other.packages for other in declared.trusted))


def undeclared_packages(
    installed: Mapping[str, Package], known: Collection[str]
) -> Iterator[Finding]:
    for name, package in installed.items():
        quoted = shlex.quote(name)
        if package.manual and not package.essential and name not in known:
            yield PACKAGE.finding(
                name,
                found="somebody installed it",
                # Not purged directly: autoremove keeps what other packages need.
                remedy=f"apt-mark auto {quoted} && apt-get autoremove --purge",
            )
        if package.held:
            yield HOLD.finding(
                name,
                found="held: it gets no upgrades, not even security upgrades",
                remedy=f"apt-mark unhold {quoted}",
            )


# --- What packages have brought ---


def package_files(declared: Declared) -> Iterator[Finding]:
    files = ask(PackageFilesFact) if declared.settings.host else {}
    return changed(files, declared)


def changed(files: Mapping[str, PackageFile], declared: Declared) -> Iterator[Finding]:
    for path, file in files.items():
        if path not in declared.paths and not GENERATED.fullmatch(path):
            yield unless_recorded(package_file(path, file), [path], declared)


def package_file(path: str, file: PackageFile) -> Finding:
    """Configuration is fixed without its package's scripts, which would restart a service before
    its other files are fixed. Missing files need the package, for their owner and mode."""
    refresh = refresh_of(path)
    if file.origin:
        remedy = f"install -m 644 {shlex.quote(file.origin)} {shlex.quote(path)}"
    elif path.startswith("/etc/") and file.state == "changed":
        remedy = filled_again(path)
    else:
        remedy, refresh = reinstalled(path), ""
    blocked = file.state == "directory"
    return PACKAGE_FILE.finding(
        path,
        severity=severity(path, file.state),
        found="a directory is in its place" if blocked else file.state,
        remedy=f"{set_aside(path)} && {remedy}" if blocked else remedy,
        refresh=refresh,
    )


def severity(path: str, state: str) -> Severity:
    """People edit configuration; only dpkg has a reason to write a package's programs."""
    if path.startswith("/etc/"):
        return Severity.HIGH if DECISIVE.fullmatch(path) else Severity.LOW
    return Severity.CRITICAL if state == "changed" else Severity.HIGH


def filled_again(path: str) -> str:
    """Writes the packaged contents into the existing file."""
    version = f"\"$(dpkg-query -W -f '${{Package}}=${{Version}}' {package_of(path)})\""
    return (
        f'cd "$(mktemp -d)" && apt-get download {version} && dpkg-deb --fsys-tarfile ./*.deb'
        f" | tar -xO {shlex.quote(f'.{path}')} >{shlex.quote(path)}"
    )


def reinstalled(path: str) -> str:
    """Makes apt unpack the path's package again."""
    options = " -o Dpkg::Options::=--force-confask,confmiss,confnew"
    configuration = path.startswith("/etc/")
    return f"apt-get install --reinstall{options if configuration else ''} {package_of(path)}"


def package_of(path: str) -> str:
    return f'"$(dpkg-query -S {shlex.quote(path)} | cut -d: -f1)"'


# --- Archives ---


def archives(declared: Declared) -> Iterator[Finding | Coverage]:
    if declared.settings.host is None:
        return
    sources = ask(AptSourcesFact)
    foreign = list(undeclared_archives(sources, declared))
    told = {path for source in foreign for path in source.signed_by}
    yield from map(archive, foreign)
    for found in files_of("archives")(declared):
        if isinstance(found, Finding) and found.thing not in told:
            yield found
    total = len(sources.sources)
    yield Coverage(declared=total - len(foreign), total=total)


def undeclared_archives(sources: Sources, declared: Declared) -> Iterator[Source]:
    """Archives that are neither declared nor this Debian's own, according to the name that they
    sign."""
    for source in sources.sources:
        own_suite = source.suite.split("/")[0].startswith(declared.machine.codename)
        own_archive = source.origin == "Debian" or not sources.fetched
        debians = own_suite and own_archive and not source.trusted
        if source.path not in declared.paths and not debians:
            yield source


def archive(source: Source) -> Finding:
    unchecked = ", and apt does not check its signature" if source.trusted else ""
    return APT_SOURCE.finding(
        source.name,
        severity=Severity.CRITICAL if source.trusted else Severity.HIGH,
        found=f"{source.origin or 'an archive not fetched yet'}, in {source.path}{unchecked}",
        remedy=f"editor {source.path}",
        refresh=APT,
    )
