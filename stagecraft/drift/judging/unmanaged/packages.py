"""Manually installed or held packages, changed files of packages, and apt's archives, with their
keys and pins."""

import re
import shlex
from collections.abc import Iterator

from stagecraft.drift.findings import PACKAGE_FILE, Class, Coverage, Finding, Kind, Severity
from stagecraft.drift.judging.remedies import set_aside
from stagecraft.drift.judging.unmanaged.files import files_of
from stagecraft.drift.judging.unmanaged.locations import APT, refresh_of
from stagecraft.drift.looking.server import Declared, ask
from stagecraft.facts.apt_sources import AptSourcesFact, Source, Sources
from stagecraft.facts.package_files import PackageFile, PackageFilesFact
from stagecraft.facts.packages import PackagesFact
from stagecraft.packages import wanted

ARCHIVE = Kind(Class.UNMANAGED, "apt source")
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
    names = {name for env in declared.environments for name in wanted(env, declared.machine)}
    known = names.union(declared.image.packages, *(other.packages for other in declared.trusted))
    installed = ask(PackagesFact)
    manual = {name for name, package in installed.items() if package.manual}
    yield Coverage(declared=len(manual & known), total=len(manual))
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


def package_files(declared: Declared) -> Iterator[Finding]:
    files = ask(PackageFilesFact) if declared.settings.host else {}
    for path, file in files.items():
        if path not in declared.paths and not GENERATED.fullmatch(path):
            yield package_file(path, file, declared)


def package_file(path: str, file: PackageFile, declared: Declared) -> Finding:
    """Configuration is fixed without its package's scripts, which would restart a service before
    its other files are fixed. Missing files need the package, for their owner and mode."""
    quoted, configuration = shlex.quote(path), path.startswith("/etc/")
    package = shlex.quote(file.package) or f'"$(dpkg-query -S {quoted} | cut -d: -f1)"'
    refresh = refresh_of(path)
    if file.origin:
        remedy = f"install -m 644 {shlex.quote(file.origin)} {quoted}"
    elif configuration and file.state == "changed":
        version = f"\"$(dpkg-query -W -f '${{Package}}=${{Version}}' {package})\""
        remedy = (
            f'cd "$(mktemp -d)" && apt-get download {version} && dpkg-deb --fsys-tarfile ./*.deb'
            f" | tar -xO {shlex.quote(f'.{path}')} >{quoted}"
        )
    else:
        options = " -o Dpkg::Options::=--force-confask,confmiss,confnew" * configuration
        remedy, refresh = f"apt-get install --reinstall{options} {package}", ""
    if configuration:  # which people edit
        severity = Severity.HIGH if DECISIVE.fullmatch(path) else Severity.LOW
    else:  # only dpkg has a reason to write a package's programs
        severity = Severity.CRITICAL if file.state == "changed" else Severity.HIGH
    blocked = file.state == "directory"
    reinstalled = "" if configuration or blocked else remedy
    return PACKAGE_FILE.finding(
        path,
        severity=severity,
        found="a directory is in its place" if blocked else file.state,
        remedy=f"{set_aside(path)} && {remedy}" if blocked else remedy,
        refresh=refresh,
        whole=file.package and f"of the package {file.package}" if reinstalled else "",
        whole_remedy=reinstalled,
        recorded_by=declared.recorded_by([path]),
    )


def archives(declared: Declared) -> Iterator[Finding | Coverage]:
    """Archives that are neither declared nor this Debian's own, and keys of no such archive."""
    if declared.settings.host is None:
        return
    sources = ask(AptSourcesFact)
    foreign = [source for source in sources.sources if is_foreign(source, sources, declared)]
    total = len(sources.sources)
    yield Coverage(declared=total - len(foreign), total=total)
    for source in foreign:
        unchecked = ", and apt does not check its signature" if source.trusted else ""
        yield ARCHIVE.finding(
            source.name,
            severity=Severity.CRITICAL if source.trusted else Severity.HIGH,
            found=f"{source.origin or 'an archive not fetched yet'}, in {source.path}{unchecked}",
            remedy=f"editor {source.path}",
            refresh=APT,
        )
    their_keys = {path for source in foreign for path in source.signed_by}
    for found in files_of("archives")(declared):
        if isinstance(found, Finding) and found.thing not in their_keys:
            yield found


def is_foreign(source: Source, sources: Sources, declared: Declared) -> bool:
    """By the suite and the name that an archive signs."""
    own_suite = source.suite.split("/")[0].startswith(declared.machine.codename)
    own_archive = source.origin == "Debian" or not sources.fetched
    debians = own_suite and own_archive and not source.trusted
    return source.path not in declared.paths and not debians
