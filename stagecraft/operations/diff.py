"""What `--diff` shows of a tree's changes: text by its lines, secrets by their keys' names."""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Iterator, Mapping, Sequence

import click
from pyinfra.context import host

from stagecraft.facts.files import KEY_ENDS, Contents, Entry, Fingerprints
from stagecraft.operations.nodes import Absent, File, Node, Sealed, Vacant
from stagecraft.secrets.read import STAND_IN

Keys = Mapping[str, str]
"""Of a file with a key on each line: the sum of each line, by its key."""


def show(changes: Sequence[Node], entries: dict[str, Entry], user: str) -> None:
    """Prints each change to stderr, where pyinfra's own `--diff` prints."""
    files = [node for node in changes if isinstance(node, File) and node.path in entries]
    texts: dict[str, str] = {}
    keys: dict[str, dict[str, str]] = {}
    if open_ones := [node.path for node in files if not node.secret]:
        texts = host.get_fact(Contents, paths=open_ones, user=user)
    if secret_ones := [node.path for node in files if node.secret]:
        keys = host.get_fact(Fingerprints, paths=secret_ones, user=user)
    for node in changes:
        lines = describe(
            node, entries.get(node.path), texts.get(node.path, ""), keys.get(node.path, {})
        )
        for line in lines:
            click.echo(f"    {host.print_prefix}{line}", err=True)


def describe(node: Node, entry: Entry | None, text: str, keys: Keys) -> Iterator[str]:
    """The lines for one change, given the text that stands there or, of a secret, its `Keys`."""
    yield headline(node, entry)
    if not isinstance(node, File):
        return
    if entry is not None and entry.sha256 == node.sha256:
        return
    if node.secret:
        yield from redacted(node, keys)
        return
    before, after = text.splitlines(), node.content.splitlines()
    yield from difflib.unified_diff(before, after, node.path, node.path, lineterm="")


def headline(node: Node, entry: Entry | None) -> str:
    if isinstance(node, (Absent, Vacant)):
        return f"remove {node.path}"
    if entry is None:
        return f"create {node.path}{ownership(node)}"
    declared, present = ownership(node), f" ({entry.user}:{entry.group} {entry.mode})"
    if declared and declared != present:
        return f"change {node.path}{present} to{declared}"
    return f"change {node.path}"


def ownership(node: Node) -> str:
    """Owner, group and mode where the node declares them: a link has none of its own."""
    mode = getattr(node, "mode", None)
    return f" ({getattr(node, 'user', '')}:{getattr(node, 'group', '')} {mode})" if mode else ""


def redacted(file: File, present: Keys) -> Iterator[str]:
    """Which keys come, go or differ; never a value."""
    declared, hidden = fingerprints(file.content), hidden_keys(file)
    differs = False
    for key in sorted({*declared, *present}):
        if key not in present:
            yield f"+{key} (secret)"
        elif key not in declared:
            yield f"-{key} (secret)"
        elif key not in hidden and declared[key] != present[key]:
            yield f" {key} differs (secret)"
        else:
            continue
        differs = True
    if hidden and not differs:
        yield f" one of {', '.join(sorted(hidden))} differs (secret)"


def hidden_keys(file: File) -> set[str]:
    """Of a file that nobody has opened, the keys of which one cannot tell whether they differ:
    those with a stand-in for a value, or all where it is hashed."""
    if not isinstance(file, Sealed):
        return set()
    lines = [line for line in file.content.splitlines() if STAND_IN in line]
    return set(map(key_of, lines)) or set(fingerprints(file.content))


def fingerprints(text: str) -> dict[str, str]:
    """The `Keys` of a text, as the fact `Fingerprints` reads them of a file."""
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return {key_of(line): hashlib.sha256(line.encode()).hexdigest() for line in lines}


def key_of(line: str) -> str:
    ends = [line.find(end) for end in KEY_ENDS if end in line]
    return line[: min(ends)] if ends else line
