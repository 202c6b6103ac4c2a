"""Tables of packet filters beside ours."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from pyinfra.context import host

from stagecraft.drift.areas import Looked
from stagecraft.drift.declared import Declared
from stagecraft.drift.findings import Finding, Severity
from stagecraft.drift.unmanaged.findings import unmanaged
from stagecraft.facts.filters import LEGACY, FiltersFact, Table
from stagecraft.services import Reach

FIREWALL = "stagecraft"
"""What is not as declared in it and in the sites' tables, other areas tell."""


def firewall_tables(declared: Declared) -> Looked:
    """Nothing is said of a machine whose firewall is somebody else's."""
    settings = declared.settings.host
    if settings is None or settings.firewall is None:
        return Looked()
    tables: list[Table] = host.get_fact(FiltersFact)
    ours = {FIREWALL, *(Reach(site).table for site in declared.site_names)}
    findings = list(undeclared(tables, ours))
    return Looked(findings, declared=len(ours), total=len(ours) + len(findings))


def undeclared(tables: Iterable[Table], ours: Collection[str]) -> Iterator[Finding]:
    """`ours` are the names of our tables, all of the family inet."""
    for table in tables:
        own = table.family == "inet" and table.name in ours
        if not own and not table.idle and not table.fail2ban:
            yield finding(table)


def finding(table: Table) -> Finding:
    closed = f", and it drops what no rule of {', '.join(table.drops)} lets through"
    old = " of the old iptables" if table.family in LEGACY else ""
    found = f"{table.rules} rules{old}" + (closed if table.drops else "")
    return unmanaged(
        Severity.HIGH,
        "firewall table",
        f"{table.family} {table.name}",
        found=found,
        remedy=remedy(table),
    )


def remedy(table: Table) -> str:
    """An old table stays as long as the kernel runs, but empty; what it drops by itself must be let
    through before its rules go, or nobody gets in any more."""
    if table.family not in LEGACY:
        return f"nft delete table {table.family} {table.name}"
    program = f"{LEGACY[table.family]} --table {table.name}"
    opened = [f"{program} --policy {chain} ACCEPT" for chain in table.drops]
    return " && ".join([*opened, f"{program} --flush", f"{program} --delete-chain"])
