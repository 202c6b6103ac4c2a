"""Who moved: the server, or the files. What runs have recorded there tells."""

from __future__ import annotations

from collections.abc import Collection

from stagecraft.drift.findings import Cause
from stagecraft.facts.files import Entry
from stagecraft.manifest import Records, path_record
from stagecraft.operations.nodes import Absent, Node, Vacant
from stagecraft.seen import Place, Seen, encoded


def cause_of(declared: object, found: object, recorded: Collection[object]) -> Cause:
    """Whose change makes `found` differ from `declared`, by what was `recorded` of it when it was
    applied: one of them for each environment that did."""
    if declared in recorded:
        return Cause.SERVER
    if not declared:  # nobody wants it, and whoever has recorded it once did
        return Cause.FILES if found in recorded else Cause.SERVER
    return Cause.FILES if found in recorded or not recorded else Cause.SERVER


def cause(seen: Seen, records: Collection[Records]) -> Cause | None:
    """None where the last run was one that did not record such things yet."""
    if isinstance(seen, Place):
        path = seen.node.path
        made = (record for other in records for record in other.paths if record.path == path)
        recorded = [record.standing for record in made]
        return cause_of(declared_at(seen.node), found_at(seen.entry), recorded)
    if not any(other.states for other in records):
        return None
    states = [other.states[seen.name] for other in records if seen.name in other.states]
    # As JSON has it; in the words of format 1 where that is how it was recorded.
    declared, found = (
        str(value) if str(value) in states else encoded(value)
        for value in (seen.declared, seen.found)
    )
    return cause_of(declared, found, states)


def declared_at(node: Node) -> tuple[str, ...]:
    return () if isinstance(node, (Absent, Vacant)) else path_record("", node).standing


def found_at(entry: Entry | None) -> tuple[str, ...]:
    """What the manifest would say of a path that stands like this."""
    if entry is None:
        return ()
    if entry.kind == "link":
        return ("link", "-", "-", "-", entry.target)
    acl = ",".join(sorted(entry.acl))
    value = ",".join(filter(None, [entry.sha256, acl]))
    return (entry.kind, entry.user, entry.group, entry.mode, value or "-")
