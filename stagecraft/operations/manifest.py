"""The end of a run: what it has applied is recorded, or what failed is said."""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Generator, Iterable, Iterator, Mapping
from typing import Any

from pyinfra import logger
from pyinfra.api.command import FunctionCommand, StringCommand
from pyinfra.api.operation import operation
from pyinfra.context import host, state

from stagecraft.facts.manifests import STATE, Manifests, Record
from stagecraft.manifest import manifest
from stagecraft.seen import State, saw, states
from stagecraft.version import noted_version


@operation()
def recorded(secrets: Mapping[str, tuple[str, str]]) -> Generator[StringCommand | FunctionCommand]:
    """Ensures that the manifest says what is declared, once all of it stands. Fails with the names
    of the operations that failed before: each spoiled one site and left the others alone.

    Args:
        secrets: for each site, sums of what its files with secrets are made of; the manifest keeps
            them, since nobody can tell from those files whether they are still to be applied.
    """
    records = host.get_fact(Manifests).get(manifest().environment, [])
    saw(*made(secrets, records), noted_version())
    if state.is_executing and (names := failed()):
        yield FunctionCommand(say_failed, (names,), {})
        return
    text = manifest().text(records, states())
    if text != "".join(f"{record.text}\n" for record in records):
        yield StringCommand(written(manifest().path, text), _stdin=text)


@operation()
def noted() -> Generator[StringCommand]:
    """Ensures that the manifest says what this run declares, which is a part of the environment."""
    records = host.get_fact(Manifests).get(manifest().environment, [])
    text = manifest().text_of_a_part(records, list(states()))
    if sorted(text.splitlines()) != sorted(record.text for record in records):
        yield StringCommand(written(manifest().path, text), _stdin=text)


def made(secrets: Mapping[str, tuple[str, str]], records: Iterable[Record]) -> Iterator[State]:
    """What files with secrets are made of, now and when they were applied."""
    recorded = {record.path: record.fields[-1] for record in records if record.kind == STATE}
    for site, (settings, values) in secrets.items():
        before = recorded.get(f"secrets {site}", "")
        # Unreadable here, they count as unchanged.
        values = values or before.rpartition(" ")[2]
        declared = f"settings {settings}, values {values}"
        yield State("secrets", site, declared, before or declared)


def written(path: str, text: str) -> str:
    """The command that writes all of the text, or nothing when the connection ends before."""
    target, new = shlex.quote(path), shlex.quote(hidden(path))
    digest = hashlib.sha256(text.encode()).hexdigest()
    return (
        f"umask 077 && cat >{new} && echo {digest} {new} | sha256sum --check --status"
        f" && sync {new} && mv -f {new} {target}"
    )


def hidden(path: str) -> str:
    """Beside it, where nobody takes it for the manifest of another environment."""
    directory, _, name = path.rpartition("/")
    return f"{directory}/.{name}"


def failed() -> list[str]:
    """The operations of this run that failed on this host."""
    return [
        ", ".join(state.get_op_meta(hash).names)
        for hash, data in state.ops[host].items()
        if data.operation_meta.is_complete() and data.operation_meta.did_error()
    ]


def say_failed(state: Any, host: Any, names: list[str]) -> bool:
    """pyinfra passes `state` and `host` by these names."""
    for name in names:
        logger.error(f"{host.print_prefix}failed, see above: {name}")
    return False
