"""Whether the server or the files changed, according to the records of runs."""

from __future__ import annotations

from collections.abc import Collection

from stagecraft.drift.findings import Cause
from stagecraft.facts.files import Entry
from stagecraft.manifest import Records, path_record
from stagecraft.operations.nodes import Absent, RemoveIfEmpty
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
        node = seen.node
        made = [record for other in records for record in other.paths if record.path == node.path]
        declared = () if isinstance(node, (Absent, RemoveIfEmpty)) else path_record("", node).state
        return cause_of(declared, found_at(seen.entry), [record.state for record in made])
    if not any(other.states for other in records):
        return None
    states = [other.states[seen.name] for other in records if seen.name in other.states]
    # As JSON, or as text if it was recorded in format 1.
    wanted, found = (
        str(value) if str(value) in states else encoded(value)
        for value in (seen.declared, seen.found)
    )
    return cause_of(wanted, found, states)


def found_at(entry: Entry | None) -> tuple[str, ...]:
    """What the manifest would record for the path in this state."""
    if entry is None:
        return ()
    if entry.kind == "link":
        return ("link", "-", "-", "-", entry.target)
    value = ",".join(filter(None, [entry.sha256, *sorted(entry.acl)]))
    return (entry.kind, entry.user, entry.group, entry.mode, value or "-")
