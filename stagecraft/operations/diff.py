"""What `--diff` shows of a tree's changes: text line by line, secrets by the names of keys."""

import difflib
import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

import click
from pyinfra.context import host, state

from stagecraft.facts.files import (
    KEY_CHARACTERS,
    KEY_ENDS,
    LONGEST_KEY,
    ContentsFact,
    Entry,
    FingerprintsFact,
)
from stagecraft.harmless import bounded, harmless
from stagecraft.operations.nodes import Absent, File, Node, RemoveIfEmpty, Sealed
from stagecraft.secrets.read import STAND_IN

Keys = Mapping[str, str]
"""For a file with a key on each line: the checksum of each line by its key."""

Texts = Mapping[str, str | Keys]
"""The contents of readable files by path; for a file with secrets, its `Keys`."""

UNNAMED = "a line without a name"


def show(changes: Sequence[Node], entries: dict[str, Entry], user: str) -> None:
    """With `--diff`, prints each change to stderr: in the plan, or with -y before it is made."""
    if not state.config.DIFF or state.is_executing == state.check_for_changes:
        return
    texts = read_texts([node for node in changes if node.path in entries], user)
    for node in changes:
        for line in describe(node, entries.get(node.path), texts):
            click.echo(f"    {host.print_prefix}{line}", err=True)


def read_texts(nodes: Iterable[Node], user: str) -> dict[str, str | Keys]:
    """The contents of the files among the nodes, as the user reads them."""
    files = [node for node in nodes if isinstance(node, File)]
    texts: dict[str, str | Keys] = {}
    for secret, fact in ((False, ContentsFact), (True, FingerprintsFact)):
        if paths := [file.path for file in files if file.secret == secret]:
            texts |= host.get_fact(fact, paths=paths, user=user)
    return texts


def describe(node: Node, entry: Entry | None, texts: Texts) -> Iterator[str]:
    """The lines for one change, escaped and limited in number."""
    return bounded(map(harmless, lines_of(node, entry, texts)))


def lines_of(node: Node, entry: Entry | None, texts: Texts) -> Iterator[str]:
    yield headline(node, entry)
    if not isinstance(node, File):
        return
    if entry is not None and entry.sha256 == node.sha256:
        return
    if entry is not None and node.path not in texts:
        yield f" {unread(entry)}"
        return
    present = texts.get(node.path, {} if node.secret else "")
    if isinstance(present, str):
        before, after = present.splitlines(), node.content.splitlines()
        yield from difflib.unified_diff(before, after, node.path, node.path, lineterm="")
    else:
        yield from redacted(node, present)


def unread(entry: Entry) -> str:
    """Why there is no text to compare."""
    if entry.kind != "file":
        return f"the present {entry.kind} is not shown"
    return "the present file is not shown: it is too long, or its path contains a link"


def headline(node: Node, entry: Entry | None) -> str:
    if isinstance(node, (Absent, RemoveIfEmpty)):
        return f"remove {node.path}"
    if entry is None:
        return f"create {node.path}{ownership(node)}"
    declared, present = ownership(node), f" ({entry.user}:{entry.group} {entry.mode})"
    if declared and declared != present:
        return f"change {node.path}{present} to{declared}"
    return f"change {node.path}"


def ownership(node: Node) -> str:
    """Owner, group and mode if the node declares them; links have none."""
    mode = getattr(node, "mode", None)
    return f" ({getattr(node, 'user', '')}:{getattr(node, 'group', '')} {mode})" if mode else ""


def redacted(file: File, present: Keys) -> Iterator[str]:
    """The keys that are added, removed or changed. Shows declared values only if they are public,
    and never the server's, which may be secrets."""
    declared, hidden = lines_by_key(file.content), hidden_keys(file)
    differs = False
    for key in sorted({*declared, *present}):
        if key in declared and present.get(key) == sum_of(declared[key]):
            continue
        if key in hidden and key in present:
            continue
        differs = True
        if key not in declared:
            yield f"-{key or UNNAMED} (not shown)"
        elif key in file.public:
            yield from [f"-{key} (not shown)"] * (key in present)
            yield f"+{declared[key]}"
        elif key in present:
            yield f" {key or UNNAMED} differs (secret)"
        else:
            yield f"+{key or UNNAMED} (secret)"
    if hidden and not differs:
        yield f" one of {', '.join(sorted(hidden))} differs (secret)"


def hidden_keys(file: File) -> set[str]:
    """For a file built without secrets: keys that cannot be compared, because their values are
    stand-ins; all keys if the file is hashed."""
    if not isinstance(file, Sealed):
        return set()
    lines = [line for line in file.content.splitlines() if STAND_IN in line]
    return set(map(key_of, lines)) or set(lines_by_key(file.content))


def lines_by_key(text: str) -> dict[str, str]:
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return {key_of(line): line for line in lines}


def sum_of(line: str) -> str:
    return hashlib.sha256(line.encode()).hexdigest()


def key_of(line: str) -> str:
    match = re.match(rf"([{KEY_CHARACTERS}]{{0,{LONGEST_KEY}}})[{KEY_ENDS}]", line)
    return match[1] if match else ""
