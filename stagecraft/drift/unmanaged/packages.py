"""Packages that somebody installed or holds, and their files that somebody changed."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping

from pyinfra.context import host

from stagecraft.drift.areas import Looked
from stagecraft.drift.declared import Declared
from stagecraft.drift.findings import Finding, Severity
from stagecraft.drift.unmanaged.findings import unmanaged
from stagecraft.facts.package_files import PackageFiles
from stagecraft.facts.packages import Package, PackagesFact
from stagecraft.manifest import PACKAGE
from tasks.packages import wanted

GUARDS_THE_WAY_IN = re.compile(
    r"/etc/(?:ssh|pam\.d|security|sudoers\.d)/.*|/etc/(?:sudoers|login\.defs)"
)

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
    states: dict[str, str] = host.get_fact(PackageFiles)
    return Looked(list(changed(states, declared)))


def declared_packages(declared: Declared) -> set[str]:
    names = {name for env in declared.environments for name in wanted(env, declared.machine)}
    names |= {
        record.path
        for records in declared.records.values()
        for record in records
        if record.kind == PACKAGE
    }
    return names | declared.as_found.packages


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


def changed(states: Mapping[str, str], declared: Declared) -> Iterator[Finding]:
    for path, state in states.items():
        if path not in declared.paths and not GENERATED.fullmatch(path):
            yield unmanaged(
                severity(path, state),
                "package file",
                path,
                expected="as its package has brought it",
                found=state,
                remedy=restored(path),
            )


def severity(path: str, state: str) -> Severity:
    """People edit configuration; nobody but dpkg has a reason to write a package's programs."""
    if path.startswith("/etc/"):
        return Severity.HIGH if GUARDS_THE_WAY_IN.fullmatch(path) else Severity.LOW
    return Severity.CRITICAL if state == "changed" else Severity.HIGH


def restored(path: str) -> str:
    """Has apt unpack the path's package once more."""
    package = f'"$(dpkg-query -S {shlex.quote(path)} | cut -d: -f1)"'
    options = " -o Dpkg::Options::=--force-confask,confmiss,confnew"
    return f"apt-get install --reinstall{options if path.startswith('/etc/') else ''} {package}"
