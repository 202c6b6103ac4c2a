"""Tables of packet filters beside ours."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pyinfra.context import host

from stagecraft.drift.areas import Looked
from stagecraft.drift.declared import Declared
from stagecraft.drift.findings import Finding, Severity
from stagecraft.drift.unmanaged.findings import unmanaged
from stagecraft.facts.filters import LEGACY, FiltersFact, Table

OURS = ("inet", "stagecraft")
"""What is not as declared in it, the plan of a run tells."""


def firewall_tables(declared: Declared) -> Looked:
    """Nothing is said of a machine whose firewall is somebody else's."""
    settings = declared.settings.host
    if settings is None or settings.firewall is None:
        return Looked()
    tables: list[Table] = host.get_fact(FiltersFact)
    findings = list(undeclared(tables))
    return Looked(findings, declared=1, total=1 + len(findings))


def undeclared(tables: Iterable[Table]) -> Iterator[Finding]:
    for table in tables:
        if (table.family, table.name) != OURS and not table.idle and not table.fail2ban:
            yield finding(table)


def finding(table: Table) -> Finding:
    if table.family == LEGACY:
        found, remedy = "rules of the old iptables", f"iptables-legacy --table {table.name} --flush"
    else:
        closed = f", and it drops what no rule of {', '.join(table.drops)} lets through"
        found = f"{table.rules} rules" + (closed if table.drops else "")
        remedy = f"nft delete table {table.family} {table.name}"
    return unmanaged(
        Severity.HIGH,
        "firewall table",
        f"{table.family} {table.name}",
        found=found,
        remedy=remedy,
    )
