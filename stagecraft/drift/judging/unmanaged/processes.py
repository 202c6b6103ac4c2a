"""Processes that no unit and no login keeps running, and those with a program of no package."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import replace

from stagecraft.drift.findings import Class, Finding, Kind, Severity
from stagecraft.drift.judging.remedies import shortened
from stagecraft.drift.judging.running.services import template_of, undeclared_units
from stagecraft.drift.judging.unmanaged.network import undeclared
from stagecraft.drift.looking.server import Declared, ask
from stagecraft.facts.processes import ProcessesFact
from stagecraft.facts.programs import Program, ProgramsFact
from stagecraft.paths import home
from stagecraft.run import this_run

PROCESS = Kind(Class.UNMANAGED, "process", "started by a declared unit, or by who is logged in")

NGINX_USER = "www-data"

ANYWHERE = re.compile(r"/(?:tmp|var/tmp|dev|run|memfd:)")
"""Where programs are neither installed nor built."""

REPLACED_IN_A_SANDBOX = "/ (deleted)"
"""A program that its unit has mounted for itself alone; the check of replaced files reports it."""

CHECKED = re.compile(
    r"(?:(?:/etc|/run|(?:/usr(?:/local)?)?/lib)/systemd/(?:system|transient)|/etc/init\.d/|/etc/fstab).*"
)
"""Where undeclared units have findings of their own."""

MANY = 16
"""The number of a user's findings: it can start thousands of different programs."""


def processes(declared: Declared) -> Iterator[Finding]:
    """One finding for all processes of a user with the same program."""
    found: dict[str, dict[str, Finding]] = {}
    for program, why in unexplained(declared):
        of_user = found.setdefault(program.user, {})
        name = f"{program.path or 'others'} of {program.user or 'containers'}"
        if name in of_user or len(of_user) < MANY:
            of_user.setdefault(name, finding(name, program, why, declared))
    for of_user in found.values():
        yield from of_user.values()


def finding(name: str, program: Program, why: str, declared: Declared) -> Finding:
    pids = [str(pid) for pid in program.pids]
    sites = {site.name: site.environment for site in declared.sites}
    return PROCESS.finding(
        name,
        severity=severity(program, declared),
        found=f"{why}: {program.count} of it, {shortened(pids, 4)}, in {program.unit or 'no unit'}",
        remedy=f"kill -KILL {' '.join(pids)}",
        environment=sites.get(program.user, ""),
        since=program.since,
    )


def severity(program: Program, declared: Declared) -> Severity:
    host = declared.settings.host
    if program.user == "root":
        return Severity.CRITICAL
    own = program.kept_by == "login" and host and program.user in host.accounts
    return Severity.LOW if own and not ANYWHERE.match(program.path) else Severity.HIGH


def unexplained(declared: Declared) -> Iterator[tuple[Program, str]]:
    """With the reason. Without those that other findings are about: a port that they listen at,
    nginx' user, their unit."""
    listening = {socket.pid for socket in undeclared(declared)}
    others, loaded = undeclared_units(declared), ask(ProcessesFact).foreign
    for program in ask(ProgramsFact):
        left = replace(program, pids=tuple(pid for pid in program.pids if pid not in listening))
        reported = {program.unit, template_of(program.unit)} & others or program.path in loaded.get(
            program.unit, ()
        )
        if not left.pids or (program.user == NGINX_USER and not program.unit) or reported:
            continue
        if why := reason(left, declared):
            yield left, why


def reason(program: Program, declared: Declared) -> str:
    """Why nothing explains it; empty if something does."""
    match program.kept_by:
        case "host":
            return ""
        case "container":
            return "run in containers of this machine"
        case "":
            return "has outlived what started it, or was never part of it"
        case "login" if not may_log_in(program.origin, declared):
            return f"belongs to the login of {program.origin}, whom nobody declared"
        case "unit" if not program.origin and program.unit in ours():
            return ""  # the plan reports that its file is gone
        case "unit" if not CHECKED.fullmatch(program.origin):
            return f"belongs to a unit from {shlex.quote(program.origin)}"
    if program.path == REPLACED_IN_A_SANDBOX:
        return ""
    return "" if program.source or made_here(program, declared) else "is of no package"


def ours() -> set[str]:
    return {service.unit for service in this_run().services}


def may_log_in(account: str, declared: Declared) -> bool:
    host = declared.settings.host
    return host is None or account in ("root", *host.logins)


def made_here(program: Program, declared: Declared) -> bool:
    """Declared, the provider's, or in a release of the site whose user runs it."""
    path = program.path.removesuffix(" (deleted)")
    of_site = path.startswith(f"{home(program.user)}/releases/")
    return (of_site and program.user in declared.site_names) or path in (
        declared.paths | declared.image.files
    )
