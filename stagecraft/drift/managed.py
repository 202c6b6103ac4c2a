"""What a run of deploy.py would change."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator
from itertools import groupby

from pyinfra.context import host

from stagecraft.drift.areas import Looked
from stagecraft.drift.aside import set_aside
from stagecraft.drift.cause import cause
from stagecraft.drift.declared import Declared
from stagecraft.drift.findings import THEN, Cause, Class, Finding, Severity
from stagecraft.drift.plan import Step, plan
from stagecraft.drift.unmanaged.places import refresh_of
from stagecraft.facts.files import Contents, Entry, Fingerprints, becoming
from stagecraft.operations import access
from stagecraft.operations.diff import Keys, Texts, describe
from stagecraft.operations.nodes import Absent, Directory, File, Link, Node, Sealed, Vacant
from stagecraft.operations.services import Condition
from stagecraft.run import this_run
from stagecraft.seen import Place, Seen, State
from stagecraft.services import NGINX, Services
from stagecraft.settings import Environment

DOORS = frozenset({"access", "account", "firewall", "host key", "reach", "sshd setting"})
"""Kinds of what decides who gets in, or from one site to its neighbours."""

DOOR_TREES = frozenset({access.TREE, "firewall", "sudo"})


def managed(declared: Declared) -> Looked:
    """The plan of deploy.py, by the things that it would change."""
    steps = plan()
    differences = explained(steps)
    texts = read_texts(differences)
    findings = [finding(seen, declared, texts) for seen in differences]
    findings += [by_name(step, declared) for step in steps if step.changes and step.seen is None]
    run = this_run()
    things = len(run.manifest.declared_paths) + len({state.name for state in run.states()})
    return Looked(findings, declared=things - len(findings), total=things)


def explained(steps: Iterable[Step]) -> list[Seen]:
    """What differs, each thing once, without what only follows from another."""
    differences = {
        name_of(seen): seen for step in steps if step.changes for seen in step.differences
    }
    return [seen for seen in differences.values() if not follows(seen, differences)]


def follows(seen: Seen, differences: Iterable[tuple[str, str]]) -> bool:
    """Whether it cannot stand because of another difference: of a unit that is down nothing can be
    told, and one that is not there has lost its package or its file."""
    if not isinstance(seen, State):
        return False
    if seen.kind == "service" and not seen.found:
        return any(
            kind == "package" or (kind == "file" and thing.endswith(f"/{seen.thing}"))
            for kind, thing in differences
        )
    return ("service", seen.through) in differences


def name_of(seen: Seen) -> tuple[str, str]:
    """Its kind and its thing."""
    if isinstance(seen, State):
        return seen.kind, seen.thing
    return kind_of(seen), seen.node.path


def kind_of(place: Place) -> str:
    """What is declared there, or what stands where nothing is."""
    match place.node:
        case File():
            return "file"
        case Directory():
            return "directory"
        case Link():
            return "link"
        case Absent() | Vacant():
            return place.entry.kind if place.entry else "file"


def read_texts(differences: Iterable[Seen]) -> Texts:
    """One question for each user who reads, and none where no file differs. A link in the place of
    a file is not read: it may lead to a secret."""
    files = [seen for seen in differences if isinstance(seen, Place) and readable(seen)]
    texts: dict[str, str | Keys] = {}
    for (user, secret), places in groupby(sorted(files, key=reader), key=reader):
        fact = Fingerprints if secret else Contents
        texts |= host.get_fact(fact, paths=[place.node.path for place in places], user=user)
    return texts


def readable(place: Place) -> bool:
    """Whether there are two texts to compare."""
    return isinstance(place.node, File) and place.entry is not None and place.entry.kind == "file"


def reader(place: Place) -> tuple[str, bool]:
    return place.user, isinstance(place.node, File) and place.node.secret


def finding(seen: Seen, declared: Declared, texts: Texts) -> Finding:
    kind, thing = name_of(seen)
    moved = cause(seen, declared.records.values())
    expected, present = in_words(seen)
    return Finding.model_validate(
        {
            "class": Class.MANAGED,
            "severity": severity(seen, declared, moved),
            "kind": kind,
            "thing": thing,
            "environment": owner(seen, declared.environment),
            "expected": expected,
            "found": present,
            "remedy": replacement(seen, remedy(declared)) or remedy(declared),
            "refresh": refresh_of(thing) if isinstance(seen, Place) else "",
            "cause": moved,
            "diff": diff(seen, texts),
        }
    )


def by_name(step: Step, declared: Declared) -> Finding:
    """Of a step that tells nothing but that it would change something."""
    return Finding.model_validate(
        {
            "class": Class.MANAGED,
            "severity": Severity.HIGH,
            "kind": "operation",
            "thing": step.name,
            "environment": declared.environment.name,
            "expected": "nothing to do",
            "found": "a run would change something",
            "remedy": remedy(declared),
        }
    )


def replacement(seen: Seen, run: str) -> str:
    """The remedy where a run refuses to replace what stands there: it may hold somebody's files,
    where a link leads may be what was in the directory, and root cannot. Empty where the run does
    it."""
    if not isinstance(seen, Place) or seen.entry is None:
        return ""
    if seen.entry.attributes:
        return f"chattr -{seen.entry.attributes} {seen.node.path}{THEN}{run}"
    match seen.node, seen.entry.kind:
        case Directory(path, user, group, mode, acl), "link":
            made = f"rm {path} && install -d -o {user} -g {group} -m {mode} {path}"
            made += f" && setfacl -m {','.join(acl)} {path}" if acl else ""
            return shlex.join([*becoming(seen.user), "sh", "-c", made])
        case (Directory(), "directory") | (Vacant(), _):
            return ""
        case (Directory(), _) | (_, "directory"):
            return f"{set_aside(seen.node.path, seen.user)}{THEN}{run}"
    return ""


def remedy(declared: Declared) -> str:
    return f"pyinfra inventories/{declared.environment.name}.py deploy.py"


def severity(seen: Seen, declared: Declared, moved: Cause | None) -> Severity:
    """That the files moved on, the server's own record says, which is not asked where it matters
    who gets in."""
    if isinstance(seen, Place):
        critical = seen.tree in DOOR_TREES
    elif seen.kind == "service":
        runs = isinstance(seen.found, Condition) and seen.found.runs
        environment = declared.environment
        vital = {NGINX, environment.server.engine.unit}.union(
            *(Services(site.name).vital for site in environment.sites)
        )
        critical = seen.thing in vital and not runs
    elif seen.kind.startswith("database"):
        critical = not seen.found
    else:
        critical = seen.kind in DOORS
    if moved == Cause.FILES:
        return Severity.HIGH if critical else Severity.LOW
    return Severity.CRITICAL if critical else Severity.HIGH


def owner(seen: Seen, environment: Environment) -> str:
    """The environment, or nothing for what belongs to the whole machine."""
    text = seen.tree if isinstance(seen, Place) else seen.thing
    sites = environment.sites
    logins = {f"{user}@localhost" for s in sites for user in s.database.users}
    own = text in {site.database.name for site in sites} | logins
    return environment.name if own or any(site.name in text for site in sites) else ""


# --- In words ---


def in_words(seen: Seen) -> tuple[str, str]:
    """What is declared, and what was found."""
    if isinstance(seen, State):
        return str(seen.declared) or "nothing there", str(seen.found) or "it is not there"
    return wanted(seen.node), found(seen.node, seen.entry)


def wanted(node: Node) -> str:
    match node:
        case Link():
            return f"a link to {node.target}"
        case Absent() | Vacant():
            return "nothing there"
        case Sealed(recorded=""):
            return "a file that no run has applied yet"
        case Directory():
            return f"a directory of {node.user}:{node.group}, mode {node.mode}"
    origin = f", from {node.origin}" if node.origin else ""
    return f"a file of {node.user}:{node.group}, mode {node.mode}{origin}"


def found(node: Node, entry: Entry | None) -> str:
    """What is wrong with what stands there."""
    if entry is None:
        return "it is not there"
    if isinstance(node, (Absent, Vacant)) or entry.kind != index_kind(node):
        return f"a {entry.kind} of {entry.user}:{entry.group}, mode {entry.mode}"
    if isinstance(node, Link):
        return f"a link to {entry.target}"
    return ", ".join(wrong(node, entry))


def wrong(node: File | Directory, entry: Entry) -> Iterator[str]:
    if isinstance(node, File) and entry.sha256 != node.sha256:
        yield "another text"
    if (entry.user, entry.group) != (node.user, node.group):
        yield f"owner {entry.user}:{entry.group}"
    if entry.mode != node.mode:
        yield f"mode {entry.mode}"
    acl = frozenset(node.acl) if isinstance(node, Directory) else frozenset()
    if entry.acl != acl:
        yield f"the ACL {', '.join(sorted(entry.acl)) or 'is gone'}"


def index_kind(node: Node) -> str:
    return node.index_line()[0]


def diff(seen: Seen, texts: Texts) -> tuple[str, ...]:
    """The lines that differ, of a secret the names of its keys."""
    if not isinstance(seen, Place) or not readable(seen):
        return ()
    return tuple(describe(seen.node, seen.entry, texts))
