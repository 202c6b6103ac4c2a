"""When something changed and who did it, as far as the server knows."""

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import TypeVar

from pyinfra.api.exceptions import PyinfraError

from stagecraft.drift.findings import Finding, Report
from stagecraft.drift.looking.server import ask
from stagecraft.facts.logins import public_key
from stagecraft.facts.trail import Apt, KeyLogin, Sudo, Trail, TrailFact
from stagecraft.settings import Environment
from stagecraft.settings.host import DEPLOY
from stagecraft.settings.public_keys import lines

UNIT = re.compile(r"[\w@.:\\-]+\.(service|timer|socket|mount|swap|path|target)")

READING = frozenset({"cat", "diff", "file", "grep", "head", "less", "ls", "more", "stat", "tail"})
"""Programs that do not change the things in their arguments."""

DECISIVE = frozenset(
    {"adduser", "chsh", "deluser", "mv", "rm", "rmdir", "unlink", "useradd", "userdel", "usermod"}
)
"""Programs that also show when it happened: for removed paths and for accounts, nothing else
does."""

NAMED = 12 * 3600.0
"""Seconds that an editor may be open on a file in its arguments."""

NEAR = 5 * 60.0
"""Seconds after which the change may as well be somebody else's."""

LATE = 2.0
"""Seconds by which the clocks of a file system and the journal may differ."""


def attributed(report: Report, environment: Environment) -> Report:
    """The report with `since` and `who` of its findings, as far as the server knows. Asks it once,
    and not at all without findings; no answer is not an error."""
    if not report.findings:
        return report
    undated = {finding.thing for finding in report.findings if not finding.since}
    paths = sorted(thing for thing in undated if thing.startswith("/"))
    units = sorted({found.thing for found in report.findings if UNIT.fullmatch(found.thing)})
    try:
        trail = ask(TrailFact, paths=paths, units=units)
    except PyinfraError:
        return report
    admins = environment.server.host.admins if environment.server.host else {}
    keys = (public_key(admin, line) for admin, given in admins.items() for line in lines(given))
    owners = {key.fingerprint: key.account for key in keys if key}
    findings = [attribute(finding, trail, owners) for finding in report.findings]
    return report.model_copy(update={"findings": findings})


def attribute(finding: Finding, trail: Trail, owners: Mapping[str, str]) -> Finding:
    """The finding, completed from the trail; what an area found itself stays. `owners` are admins
    by their keys' fingerprints, as sshd logs them."""
    since, who = since_and_who(finding, trail, owners)
    moment = datetime.fromtimestamp(since, UTC) if since else None
    return finding.model_copy(update={"since": finding.since or moment, "who": finding.who or who})


def since_and_who(finding: Finding, trail: Trail, owners: Mapping[str, str]) -> tuple[float, str]:
    """Seconds since the epoch, and a few words; 0 and empty if unknown. Of a command, only the
    program and the thing are named, because other arguments may be secrets."""
    if finding.kind == "package":
        change = last(entry for entry in trail.apt if finding.thing in entry.packages)
        return (change.moment, f"{change.user or 'root'} ({change.command})") if change else (0, "")
    known = finding.since.timestamp() if finding.since else 0.0
    moment = known or trail.paths.get(finding.thing) or trail.units.get(finding.thing) or 0.0
    command = last(command for command in trail.sudo if caused(command, finding, moment))
    if command is None:
        return moment, nearby(moment, trail) if moment else ""
    logins = (entry for entry in trail.logins if entry.user == command.user)
    login = last(login for login in logins if login.moment <= command.moment)
    owner = owners.get(login.fingerprint, "") if login else ""
    key = "" if owner in ("", command.user) else f", with {owner}'s key"
    ran = f"sudo {program(command)} … {short(finding.thing)}"
    return moment or command.moment, f"{command.user}{key} ({ran})"


def caused(command: Sudo, finding: Finding, moment: float) -> bool:
    """Whether the command names the thing, or a unit's short name, and may have changed it at that
    moment; if the moment is unknown, whether it certainly did."""
    words = re.split(r"[\s'\"=;|&<>]+", command.line)  # also inside a `sh -c`
    if short(finding.thing) not in map(short, words):
        return False
    if not moment:
        return program(command) in DECISIVE
    at_the_time = moment - NAMED <= command.moment <= moment + LATE
    return at_the_time and program(command) not in READING


def nearby(moment: float, trail: Trail) -> str:
    """Who used sudo in the minutes before, which does not prove that it was them. Excludes
    Stagecraft's own nightly runs."""
    candidates = {
        f"{command.user} ran sudo {program(command)} less than {NEAR / 60:.0f} minutes before"
        for command in trail.sudo
        if moment - NEAR <= command.moment <= moment + LATE and command.user != DEPLOY
    }
    return "; ".join(sorted(candidates))


def short(thing: str) -> str:
    """A unit's short name; anything else unchanged."""
    return thing.removesuffix(".service")


def program(command: Sudo) -> str:
    return command.line.split(" ")[0].rpartition("/")[2]


Logged = TypeVar("Logged", Apt, KeyLogin, Sudo)


def last(entries: Iterable[Logged]) -> Logged | None:
    return max(entries, key=lambda entry: entry.moment, default=None)
