"""Records on the server that are not in known_records: root on the server can write them."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from stagecraft.drift.findings import Class, Finding, Kind, Severity
from stagecraft.drift.looking.server import Declared
from stagecraft.known_records import AS_FOUND, FILE, digest
from stagecraft.paths import AS_FOUND as FOUND_FIRST
from stagecraft.paths import MANIFESTS

RECORD = Kind(Class.UNMANAGED, "record", f"the checksum in {FILE}")


def records(declared: Declared) -> Iterator[Finding]:
    yield from found_first(declared)
    yield from foreign_records(declared)


def found_first(declared: Declared) -> Iterator[Finding]:
    """Also reports a server that was bootstrapped before the project kept checksums."""
    known, text = declared.known.get(AS_FOUND, ""), declared.as_found.text
    if known == digest(text) or not (known or text):
        return
    forget = f"sed -i {shlex.quote(f'/^{declared.server} {AS_FOUND} /d')} {FILE} && "
    yield RECORD.finding(
        FOUND_FIRST,
        severity=Severity.CRITICAL if known else Severity.LOW,
        expected=f"the checksum in {FILE}: {known or 'none yet'}",
        found=f"{digest(text)}, with {len(declared.as_found.files)} files"
        + (": somebody has changed it, so it is ignored" if known else ""),
        remedy=f"less {FOUND_FIRST}  # if the provider brought all of it, accept it:"
        f" {forget if known else ''}pyinfra inventories/{declared.environment.name}.py"
        f" bootstrap.py, and commit {FILE}",
    )


def foreign_records(declared: Declared) -> Iterator[Finding]:
    for name, found in sorted(declared.foreign.items()):
        known, now = declared.known.get(name, ""), digest(found.text)
        if known != now:
            yield RECORD.finding(
                f"{MANIFESTS}/{name}",
                expected="" if known else "absent: no environment here declares it",
                found=f"{now}, with {len(found.text.splitlines())} lines: it is ignored",
                remedy=f"rm {MANIFESTS}/{shlex.quote(name)}  # or, if it is another repository's:"
                f" echo {shlex.quote(f'{declared.server} {name} {now}')} >>{FILE}",
            )
