"""What a run of deploy.py would change."""

import re
import shlex
from collections.abc import Collection, Iterable, Iterator
from typing import TypeGuard

from stagecraft.drift.findings import THEN, Cause, Class, Coverage, Finding, Kind, Severity
from stagecraft.drift.judging.remedies import run, set_aside
from stagecraft.drift.judging.unmanaged.locations import refresh_of
from stagecraft.drift.looking.plan import Step, plan
from stagecraft.drift.looking.server import Declared
from stagecraft.facts.files import Entry, becoming
from stagecraft.manifest import Records, path_record
from stagecraft.operations import access
from stagecraft.operations.diff import Keys, Texts, describe, read_texts
from stagecraft.operations.nodes import Absent, Directory, File, Link, Node, RemoveIfEmpty, Sealed
from stagecraft.operations.services import Condition
from stagecraft.run import this_run
from stagecraft.seen import Place, Seen, State, encoded
from stagecraft.services import NGINX, Services
from stagecraft.settings import Environment

OPERATION = Kind(Class.MANAGED, "operation", "nothing to do")

DOORS = frozenset({"access", "account", "firewall", "host key", "reach", "sshd setting"})
"""Kinds that decide who gets in, or from one site to its neighbours."""

DOOR_TREES = frozenset({access.TREE, "firewall", "sudo"})


def managed(declared: Declared) -> Iterator[Finding | Coverage]:
    """The plan of deploy.py, by the things that it would change."""
    steps = plan()
    differences = explained(steps)
    texts = read_differing(differences)
    findings = [finding(seen, declared, texts) for seen in differences]
    environment, words = declared.environment.name, "a run would change it"
    findings += [  # steps that say no more than that
        OPERATION.finding(step, found=words, remedy=run(environment), environment=environment)
        for step in (step.name for step in steps if step.seen is None)
    ]
    yield from findings
    this = this_run()
    total = len(this.manifest.declared_paths) + len({state.name for state in this.states()})
    yield Coverage(declared=total - len(findings), total=total)


def explained(steps: Iterable[Step]) -> list[Seen]:
    """The differences, each thing once, without consequences of others."""
    seen = (seen for step in steps for seen in step.seen or ())
    differences = {(one.kind, one.thing): one for one in seen if not one.as_declared}
    return [seen for seen in differences.values() if not follows(seen, differences)]


def follows(seen: Seen, differences: Iterable[tuple[str, str]]) -> bool:
    """Whether another difference explains it: the state of a stopped unit is unknown, and a missing
    unit lacks its package or its file."""
    if not isinstance(seen, State):
        return False
    if seen.kind == "service" and not seen.found:
        return any(
            kind == "package" or (kind == "file" and thing.endswith(f"/{seen.thing}"))
            for kind, thing in differences
        )
    return ("service", seen.through) in differences


def read_differing(differences: Iterable[Seen]) -> Texts:
    """Reads once per user, and not at all if no file differs. Does not read links in the place of
    files, which could lead to secrets."""
    places = list(filter(readable, differences))
    texts: dict[str, str | Keys] = {}
    for user in {place.user for place in places}:
        texts |= read_texts([place.node for place in places if place.user == user], user)
    return texts


def readable(seen: Seen) -> TypeGuard[Place]:
    """Whether there are two texts to compare."""
    if not isinstance(seen, Place) or seen.entry is None:
        return False
    return isinstance(seen.node, File) and seen.entry.kind == "file"


def finding(seen: Seen, declared: Declared, texts: Texts) -> Finding:
    moved, remedy = cause(seen, declared.records.values()), run(declared.environment.name)
    if isinstance(seen, State):
        expected, present = str(seen.declared) or "nothing", str(seen.found) or "missing"
    else:
        expected, present = wanted(seen.node), found(seen.node, seen.entry)
    return Finding(
        class_=Class.MANAGED,
        severity=severity(seen, declared, moved),
        kind=seen.kind,
        thing=seen.thing,
        environment=owner(seen, declared.environment),
        expected=expected,
        found=present,
        remedy=replacement(seen, remedy) or remedy,
        refresh=refresh_of(seen.thing) if isinstance(seen, Place) else "",
        cause=moved,
        diff=tuple(describe(seen.node, seen.entry, texts)) if readable(seen) else (),
    )


def replacement(seen: Seen, run: str) -> str:
    """The remedy if a run refuses to replace what exists: it may contain somebody's files, a link
    may lead to a moved directory, or the file is immutable. Empty if a run replaces it."""
    if not isinstance(seen, Place) or seen.entry is None:
        return ""
    if seen.entry.attributes:
        return f"chattr -{seen.entry.attributes} {seen.node.path}{THEN}{run}"
    match seen.node, seen.entry.kind:
        case Directory(path, user, group, mode, acl), "link":
            made = f"rm {path} && install -d -o {user} -g {group} -m {mode} {path}"
            made += f" && setfacl -m {','.join(acl)} {path}" if acl else ""
            return shlex.join([*becoming(seen.user), "sh", "-c", made])
        case (Directory(), "directory") | (RemoveIfEmpty(), _):
            return ""
        case (Directory(), _) | (_, "directory"):
            return f"{set_aside(seen.node.path, seen.user)}{THEN}{run}"
    return ""


def severity(seen: Seen, declared: Declared, moved: Cause | None) -> Severity:
    """Lower if the files moved on. Only the server's own record says so, so whatever decides who
    gets in stays at least high."""
    if isinstance(seen, Place):
        critical = seen.tree in DOOR_TREES
    elif seen.kind == "service":
        runs = isinstance(seen.found, Condition) and seen.found.runs
        of_sites = (Services(site.name).vital for site in declared.environment.sites)
        vital = {NGINX, declared.settings.engine.unit}.union(*of_sites)
        critical = seen.thing in vital and not runs
    elif seen.kind.startswith("database"):
        critical = not seen.found
    else:
        critical = seen.kind in DOORS
    if moved == Cause.FILES:
        return Severity.HIGH if critical else Severity.LOW
    return Severity.CRITICAL if critical else Severity.HIGH


def owner(seen: Seen, environment: Environment) -> str:
    """The environment if the thing is a site's, or empty for the machine as a whole."""
    sites = environment.sites
    if isinstance(seen, Place):
        own = this_run().manifest.sites.get(seen.tree) in {site.name for site in sites}
    else:
        names = {user for site in sites for user in Services(site.name).users}
        databases = {site.database.name for site in sites}
        databases |= {f"{user}@localhost" for site in sites for user in site.database.users}
        own = seen.thing in databases or not names.isdisjoint(re.split("[/@.]", seen.thing))
    return environment.name if own else ""


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


def wanted(node: Node) -> str:
    match node:
        case Link():
            return f"a link to {node.target}"
        case Absent() | RemoveIfEmpty():
            return "nothing"
        case Sealed(recorded=""):
            return "a file that no run has applied yet"
        case Directory():
            return f"a directory of {node.user}:{node.group}, mode {node.mode}"
    origin = f", from {node.origin}" if node.origin else ""
    return f"a file of {node.user}:{node.group}, mode {node.mode}{origin}"


def found(node: Node, entry: Entry | None) -> str:
    """What is wrong with the path's state."""
    if entry is None:
        return "missing"
    if isinstance(node, (Absent, RemoveIfEmpty)) or entry.kind != node.kind:
        return f"a {entry.kind} of {entry.user}:{entry.group}, mode {entry.mode}"
    if isinstance(node, Link):
        return f"a link to {entry.target}"
    return ", ".join(wrong(node, entry))


def wrong(node: File | Directory, entry: Entry) -> Iterator[str]:
    if isinstance(node, File) and entry.sha256 != node.sha256:
        yield "different content"
    if (entry.user, entry.group) != (node.user, node.group):
        yield f"owner {entry.user}:{entry.group}"
    if entry.mode != node.mode:
        yield f"mode {entry.mode}"
    acl = frozenset(node.acl) if isinstance(node, Directory) else frozenset()
    if entry.acl != acl:
        yield f"the ACL {', '.join(sorted(entry.acl)) or 'is gone'}"
