"""Whether the server or the files changed, according to the records of runs."""

from __future__ import annotations

from collections.abc import Collection

from stagecraft.drift.findings import Cause
from stagecraft.facts.files import Entry
from stagecraft.manifest import Records, path_record
from stagecraft.operations.nodes import Absent, Node, Vacant
from stagecraft.seen import Place, Seen, encoded


def cause_of(declared: object, found: object, recorded: Collection[object]) -> Cause:
    """The cause of the difference between `declared` and `found`. `recorded` has the values at the
    last run of each environment that applied it."""
    if declared in recorded:
        return Cause.SERVER
    if not declared:  # undeclared now, but once declared if it was recorded
        return Cause.FILES if found in recorded else Cause.SERVER
    return Cause.FILES if found in recorded or not recorded else Cause.SERVER


def cause(seen: Seen, records: Collection[Records]) -> Cause | None:
    """None if the last run did not record states yet."""
    if isinstance(seen, Place):
        path = seen.node.path
        made = (record for other in records for record in other.paths if record.path == path)
        recorded = [record.standing for record in made]
        return cause_of(declared_at(seen.node), found_at(seen.entry), recorded)
    if not any(other.states for other in records):
        return None
    states = [other.states[seen.name] for other in records if seen.name in other.states]
    # As JSON, or as text if it was recorded in format 1.
    declared, found = (
        str(value) if str(value) in states else encoded(value)
        for value in (seen.declared, seen.found)
    )
    return cause_of(declared, found, states)


def declared_at(node: Node) -> tuple[str, ...]:
    return () if isinstance(node, (Absent, Vacant)) else path_record("", node).standing


def found_at(entry: Entry | None) -> tuple[str, ...]:
    """What the manifest would record for the path in this state."""
    if entry is None:
        return ()
    if entry.kind == "link":
        return ("link", "-", "-", "-", entry.target)
    acl = ",".join(sorted(entry.acl))
    value = ",".join(filter(None, [entry.sha256, acl]))
    return (entry.kind, entry.user, entry.group, entry.mode, value or "-")
