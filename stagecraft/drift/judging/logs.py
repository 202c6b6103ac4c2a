"""Logs that were cut, or lead nowhere: somebody may have hidden what they did."""

import shlex
import time
from collections.abc import Iterator

from stagecraft.drift.findings import Class, Finding, Kind, Severity
from stagecraft.drift.judging.wearing import DAY, days
from stagecraft.drift.looking.server import Declared, ask
from stagecraft.facts.logs import Journal, Logs, LogsFact
from stagecraft.services import JOURNALD, NGINX

LOG = Kind(Class.RUNNING, "log", "kept until it is rotated")
HISTORY = Kind(Class.UNMANAGED, "shell history", "a file, or none", Severity.LOW)
JOURNAL = Kind(Class.RUNNING, "log", "goes back to when it began, for two months")

JOURNAL_DIRECTORY = "/var/log/journal"

UNEXPLAINED = 45 * DAY
"""journald keeps entries for two to three months (templates/systemd/journald.conf.j2)."""

ROOM = 375
"""In MB; below it, journald did not delete entries because they are too many (500 MB there)."""

FULL = 80
"""In percent: journald leaves 15 % of the disk free."""

BOOTING = 60
"""In seconds: its first entries are older than its directory, since journald waits for the disk."""


def logs(declared: Declared) -> Iterator[Finding]:
    found = ask(LogsFact)
    for path, target in found.links.items():
        yield LOG.finding(
            path,
            found=f"leads to {target or 'a device'}",
            remedy=f"rm {shlex.quote(path)}",
        )
    for path, target in found.histories.items():
        yield HISTORY.finding(
            path, found=f"leads to {target or 'a device'}", remedy=f"rm {shlex.quote(path)}"
        )
    for path, moment in found.emptied.items():
        yield LOG.finding(path, found="was emptied in place", remedy=noted(path), since=moment)
    yield from deleted(found)
    for unit in found.stopped:
        yield LOG.finding(
            unit,
            expected="runs",
            found="is installed and was stopped",
            remedy=f"systemctl enable --now {unit}",
        )
    if declared.settings.host is not None and not deleted_journal(found):
        yield from journal(found.journal)


def noted(path: str) -> str:
    """What was in it is gone, but the log itself says so."""
    quoted = shlex.quote(path)
    if path.endswith("tmp"):
        new = f"{quoted}.new"
        return f"cp --attributes-only --preserve=all {quoted} {new} && mv {new} {quoted}"
    return f"date '+%F %T this log was emptied before' >>{quoted}"


def deleted(logs: Logs) -> Iterator[Finding]:
    """One finding for each service, whose one command makes it open all its logs again."""
    for unit in sorted(set(logs.deleted.values())):
        paths = sorted(path for path, by in logs.deleted.items() if by == unit)
        step = "reload" if unit == NGINX else "restart"
        yield LOG.finding(
            paths[0],
            found=f"was deleted while {unit} writes to it",
            remedy=f"systemctl {step} {shlex.quote(unit)}",
        )


def deleted_journal(logs: Logs) -> bool:
    return any(path.startswith(JOURNAL_DIRECTORY) for path in logs.deleted)


def journal(journal: Journal) -> Iterator[Finding]:
    explained = journal.size > ROOM or journal.full > FULL
    cut = journal.first > journal.made + BOOTING and journal.first > time.time() - UNEXPLAINED
    if journal.made and cut and not explained:
        directory = f"{JOURNAL_DIRECTORY}/$(cat /etc/machine-id)"
        yield JOURNAL.finding(
            JOURNAL_DIRECTORY,
            found=f"its first entry is {days(time.time() - journal.first)} old, but it began"
            f" {days(time.time() - journal.made)} ago, and neither size nor age explains that",
            # The next one begins today; what is left of this one is kept beside it.
            remedy=f'mv "{directory}" "{directory}.cut" && systemctl restart {JOURNALD}',
            since=journal.first,
        )
