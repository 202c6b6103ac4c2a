"""The end of a run: records what was applied, or reports what failed."""

import hashlib
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pyinfra import logger
from pyinfra.api.command import FunctionCommand, StringCommand
from pyinfra.api.operation import operation
from pyinfra.context import host, state

from stagecraft.facts.manifests import ManifestsFact
from stagecraft.manifest import Records
from stagecraft.operations.scripts import run_script, script
from stagecraft.run import report_states, this_run
from stagecraft.seen import CompositeValue, State


@dataclass(frozen=True)
class MadeOf(CompositeValue):
    """The sources of a site's files with secrets: checksums of its settings and secret values."""

    settings: str
    values: str

    def __str__(self) -> str:
        return f"settings {self.settings}, values {self.values}"


@operation()
def recorded(secrets: Mapping[str, tuple[str, str]]) -> Generator[StringCommand | FunctionCommand]:
    """Ensures that the manifest has what is declared, if all of it was applied. Otherwise fails
    with the names of the failed operations; a failure affects only one site.

    Args:
        secrets: for each site, checksums of the sources of its files with secrets. The manifest
            keeps them, because the files themselves do not show whether they are up to date.
    """
    manifest = this_run().manifest
    records = host.get_fact(ManifestsFact).get(manifest.environment, Records())
    report_states(*made(secrets, records))
    if state.is_executing and (names := failed()):
        yield FunctionCommand(say_failed, (names,), {})
        return
    text = manifest.text(records, list(this_run().states()))
    if text != records.text:
        yield written(manifest.path, text)


def made(secrets: Mapping[str, tuple[str, str]], records: Records) -> Iterator[State]:
    """The sources of files with secrets, now and when they were applied."""
    for site, (settings, values) in secrets.items():
        applied = records.states.get(f"secrets {site}")
        before = MadeOf(**applied) if applied else None
        # Without the secrets, the values count as unchanged.
        declared = MadeOf(settings, values or (before.values if before else ""))
        yield State("secrets", site, declared, before or declared)


def written(path: str, text: str) -> StringCommand:
    """Writes the whole text, or nothing if the connection ends before."""
    digest = hashlib.sha256(text.encode()).hexdigest()
    return run_script(script("write_whole"), path, digest, stdin=text)


def failed() -> list[str]:
    """The operations of this run that failed on this host."""
    return [
        ", ".join(state.get_op_meta(hash).names)
        for hash, data in state.ops[host].items()
        if data.operation_meta.is_complete() and data.operation_meta.did_error()
    ]


def say_failed(state: Any, host: Any, names: list[str]) -> bool:
    """pyinfra passes `state` and `host` by name."""
    for name in names:
        logger.error(f"{host.print_prefix}failed, see above: {name}")
    return False
