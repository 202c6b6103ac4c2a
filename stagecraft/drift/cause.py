"""Who moved: the server, or the files. What runs have recorded there tells."""

from __future__ import annotations

from collections.abc import Collection

from stagecraft.drift.findings import Cause
from stagecraft.facts.files import Entry
from stagecraft.facts.manifests import STATE, Record
from stagecraft.manifest import lines
from stagecraft.operations.nodes import Absent, Node, Vacant
from stagecraft.seen import Place, Seen

Fields = tuple[str, ...]
"""A thing as the manifest has it, without its name; empty where it is not there."""

NOTHING: Fields = ()


def cause_of(declared: Fields, found: Fields, recorded: Collection[Fields]) -> Cause:
    """Whose change makes `found` differ from `declared`, by what was `recorded` of it when it was
    applied: one of them for each environment that did."""
    if declared in recorded:
        return Cause.SERVER
    if not declared:  # nobody wants it, and whoever has recorded it once did
        return Cause.FILES if found in recorded else Cause.SERVER
    return Cause.FILES if found in recorded or not recorded else Cause.SERVER


def cause(seen: Seen, records: Collection[Record]) -> Cause | None:
    """None where the last run was one that did not record such things yet."""
    if isinstance(seen, Place):
        recorded = [
            normal(record.fields)
            for record in records
            if record.path == seen.node.path and record.kind in ("file", "directory", "link")
        ]
        return cause_of(declared_at(seen.node), found_at(seen.entry), recorded)
    stated = [record for record in records if record.kind == STATE]
    if not stated:
        return None
    return cause_of(
        state_fields(seen.declared),
        state_fields(seen.found),
        [record.fields for record in stated if record.path == seen.name],
    )


def state_fields(text: str) -> Fields:
    return (STATE, text) if text else NOTHING


def declared_at(node: Node) -> Fields:
    if isinstance(node, (Absent, Vacant)):
        return NOTHING
    kind, _, *values = lines("", [node]).rstrip("\n").split("\t")[1:]
    return normal((kind, *values))


def found_at(entry: Entry | None) -> Fields:
    """What the manifest would say of a path that stands like this."""
    if entry is None:
        return NOTHING
    if entry.kind == "link":
        return ("link", "-", "-", "-", entry.target)
    acl = ",".join(sorted(entry.acl))
    value = ",".join(filter(None, [entry.sha256, acl]))
    return (entry.kind, entry.user, entry.group, entry.mode, value or "-")


def normal(fields: Fields) -> Fields:
    """The same with a directory's ACL in order."""
    kind, *middle, value = fields
    return (kind, *middle, ",".join(sorted(value.split(",")))) if kind == "directory" else fields
