"""Sites that are closed to visitors although no release keeps them so."""

import shlex
from collections.abc import Iterator

from stagecraft.drift.findings import Class, Finding, Kind, Severity
from stagecraft.drift.looking.server import Declared, ask
from stagecraft.facts.maintenance import MaintenanceFact
from stagecraft.services import MAINTENANCE

CLOSED = Kind(
    Class.RUNNING, "closed site", "open, unless a release keeps visitors out", Severity.CRITICAL
)
FILE = Kind(Class.UNMANAGED, "file")


def maintenance(declared: Declared) -> Iterator[Finding]:
    environments = {site.name: site.environment for site in declared.sites}
    for left in ask(MaintenanceFact):
        path = f"{MAINTENANCE}/{left.name}"
        remedy = f"rm -r {shlex.quote(path)}"
        if not left.closed or left.name not in environments:
            found = "it is of no release that is going on"
            yield FILE.finding(path, found=found, remedy=remedy, since=left.since)
        elif environments[left.name] == declared.environment.name:
            yield CLOSED.finding(
                left.name,
                found="nginx keeps visitors out, and no release is going on",
                remedy=remedy,
                environment=environments[left.name],
                since=left.since,
            )
