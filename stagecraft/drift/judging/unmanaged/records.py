"""Records on the server that nobody vouches for: whoever is root there can write them."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from stagecraft.drift.findings import Finding, Severity
from stagecraft.drift.judging.unmanaged.findings import unmanaged
from stagecraft.drift.looking.areas import Looked
from stagecraft.drift.looking.declared import Declared
from stagecraft.known_records import AS_FOUND, FILE, digest
from stagecraft.paths import AS_FOUND as FOUND_FIRST
from stagecraft.paths import MANIFESTS


def records(declared: Declared) -> Looked:
    return Looked([*first_found(declared), *of_strangers(declared)])


def first_found(declared: Declared) -> Iterator[Finding]:
    """A server that was bootstrapped before the project kept the sum has still to be looked at."""
    known, text = declared.known.get(AS_FOUND, ""), declared.as_found.text
    if known == digest(text) or not (known or text):
        return
    vouch = f"pyinfra inventories/{declared.environment.name}.py bootstrap.py"
    yield unmanaged(
        Severity.CRITICAL if known else Severity.LOW,
        "record",
        FOUND_FIRST,
        expected=f"as {FILE} knows it: {known or 'it does not yet'}",
        found=f"{digest(text)}, with {len(declared.as_found.files)} files"
        + (": somebody has changed it, and nothing in it counts" if known else ""),
        remedy=f"less {FOUND_FIRST}  # if the provider brought all of it, it may be believed:"
        f" {f'sed -i {shlex.quote(forgetting(declared))} {FILE} && ' if known else ''}{vouch}, and"
        f" commit {FILE}",
    )


def forgetting(declared: Declared) -> str:
    return f"/^{declared.server} {AS_FOUND} /d"


def of_strangers(declared: Declared) -> Iterator[Finding]:
    for name, found in sorted(declared.strangers.items()):
        known, lines = declared.known.get(name, ""), found.text.splitlines()
        if known == digest(found.text):
            continue
        line = f"{declared.server} {name} {digest(found.text)}"
        yield unmanaged(
            Severity.HIGH,
            "record",
            f"{MANIFESTS}/{name}",
            expected=f"as {FILE} knows it" if known else "none: no file here declares it",
            found=f"{digest(found.text)}, with {len(lines)} lines: nothing in it counts",
            remedy=f"rm {MANIFESTS}/{shlex.quote(name)}  # or, if it is another repository's: echo"
            f" {shlex.quote(line)} >>{FILE}",
        )
