"""Packages that somebody installed or holds, and their files that somebody changed."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping

from pyinfra.context import host

from stagecraft.drift.findings import PACKAGE_FILE, Finding, Severity
from stagecraft.drift.judging.aside import set_aside
from stagecraft.drift.judging.unmanaged.findings import unless_recorded, unmanaged
from stagecraft.drift.judging.unmanaged.places import refresh_of
from stagecraft.drift.looking.areas import Looked
from stagecraft.drift.looking.declared import Declared
from stagecraft.facts.package_files import PackageFile, PackageFiles
from stagecraft.facts.packages import Package, PackagesFact
from tasks.packages import wanted

DECISIVE = re.compile(
    r"/etc/(?:ssh|pam\.d|security|sudoers\.d|php|nginx)/.*|/etc/(?:sudoers|login\.defs)"
)
"""Who gets in, and what the sites run."""

GENERATED = re.compile(r"/etc/ssh/moduli|/etc/locale\.gen|/etc/(?:issue|issue\.net|motd)")
"""Configuration that runs, or a package's own scripts, make anew."""


def packages(declared: Declared) -> Looked:
    if declared.settings.host is None:
        return Looked()
    installed: dict[str, Package] = host.get_fact(PackagesFact)
    known = declared_packages(declared)
    findings = [*undeclared(installed, known), *held(installed)]
    manual = {name for name, package in installed.items() if package.manual}
    return Looked(findings, declared=len(manual & known), total=len(manual))


def package_files(declared: Declared) -> Looked:
    if declared.settings.host is None:
        return Looked()
    files: dict[str, PackageFile] = host.get_fact(PackageFiles)
    return Looked(list(changed(files, declared)))


def declared_packages(declared: Declared) -> set[str]:
    names = {name for env in declared.environments for name in wanted(env, declared.machine)}
    return names.union(declared.image.packages, *(other.packages for other in declared.vouched))


def undeclared(installed: Mapping[str, Package], known: set[str]) -> Iterator[Finding]:
    for name, package in installed.items():
        if package.manual and not package.essential and name not in known:
            yield unmanaged(
                Severity.LOW,
                "package",
                name,
                found="somebody installed it",
                # Not purged at once: what others need goes with them alone.
                remedy=f"apt-mark auto {shlex.quote(name)} && apt-get autoremove --purge",
            )


def held(installed: Mapping[str, Package]) -> Iterator[Finding]:
    for name, package in installed.items():
        if package.held:
            yield unmanaged(
                Severity.HIGH,
                "package hold",
                name,
                expected="gets upgrades as they come",
                found="held: it gets none, security's neither",
                remedy=f"apt-mark unhold {shlex.quote(name)}",
            )


def changed(files: Mapping[str, PackageFile], declared: Declared) -> Iterator[Finding]:
    for path, file in files.items():
        if path not in declared.paths and not GENERATED.fullmatch(path):
            yield unless_recorded(package_file(path, file), [path], declared)


def package_file(path: str, file: PackageFile) -> Finding:
    """Configuration is put right without its package's scripts, which would restart a service that
    has other files to be put right; but a new file gets its owner and mode from them."""
    refresh = ""
    if file.origin:
        remedy = f"install -m 644 {shlex.quote(file.origin)} {shlex.quote(path)}"
        refresh = refresh_of(path)
    elif path.startswith("/etc/") and file.state == "changed":
        remedy = filled_again(path)
        refresh = refresh_of(path)
    else:
        remedy = reinstalled(path)
    blocked = file.state == "directory"
    return unmanaged(
        severity(path, file.state),
        PACKAGE_FILE,
        path,
        expected="as its package has brought it",
        found="a directory is in its place" if blocked else file.state,
        remedy=f"{set_aside(path)} && {remedy}" if blocked else remedy,
        refresh=refresh,
    )


def severity(path: str, state: str) -> Severity:
    """People edit configuration; nobody but dpkg has a reason to write a package's programs."""
    if path.startswith("/etc/"):
        return Severity.HIGH if DECISIVE.fullmatch(path) else Severity.LOW
    return Severity.CRITICAL if state == "changed" else Severity.HIGH


def filled_again(path: str) -> str:
    """Writes what is in the path's package into the file that is there."""
    version = f"\"$(dpkg-query -W -f '${{Package}}=${{Version}}' {package_of(path)})\""
    return (
        f'cd "$(mktemp -d)" && apt-get download {version} && dpkg-deb --fsys-tarfile ./*.deb'
        f" | tar -xO {shlex.quote(f'.{path}')} >{shlex.quote(path)}"
    )


def reinstalled(path: str) -> str:
    """Has apt unpack the path's package once more."""
    options = " -o Dpkg::Options::=--force-confask,confmiss,confnew"
    configuration = path.startswith("/etc/")
    return f"apt-get install --reinstall{options if configuration else ''} {package_of(path)}"


def package_of(path: str) -> str:
    return f'"$(dpkg-query -S {shlex.quote(path)} | cut -d: -f1)"'
