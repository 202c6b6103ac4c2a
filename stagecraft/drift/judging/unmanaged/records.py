"""Records on the server that are not in known_records: root on the server can write them."""

import shlex
from collections.abc import Iterator

from stagecraft.drift.findings import Class, Finding, Kind, Severity
from stagecraft.drift.looking.server import Declared
from stagecraft.known_records import AS_FOUND, FILE, digest
from stagecraft.paths import AS_FOUND as FOUND_FIRST
from stagecraft.paths import MANIFESTS

RECORD = Kind(Class.UNMANAGED, "record", f"the checksum in {FILE}")


def records(declared: Declared) -> Iterator[Finding]:
    """Also reports a server that was bootstrapped before the project kept checksums."""
    server, known, text = declared.settings.name, declared.known, declared.as_found.text
    first, now = known.get(AS_FOUND, ""), digest(text)
    if first != now and (first or text):
        forget = f"sed -i {shlex.quote(f'/^{server} {AS_FOUND} /d')} {FILE} && " if first else ""
        yield RECORD.finding(
            FOUND_FIRST,
            severity=Severity.CRITICAL if first else Severity.LOW,
            expected=f"the checksum in {FILE}: {first or 'none yet'}",
            found=f"{now}, with {len(declared.as_found.files)} files"
            + (": somebody has changed it, so it is ignored" if first else ""),
            remedy=f"less {FOUND_FIRST}  # if the provider brought all of it, accept it: {forget}"
            f"pyinfra inventories/{declared.environment.name}.py bootstrap.py, and commit {FILE}",
        )
    for name, found in sorted(declared.foreign.items()):
        now = digest(found.text)
        if known.get(name) != now:
            yield RECORD.finding(
                f"{MANIFESTS}/{name}",
                expected="" if known.get(name) else "absent: no environment here declares it",
                found=f"{now}, with {len(found.text.splitlines())} lines: it is ignored",
                remedy=f"rm {MANIFESTS}/{shlex.quote(name)}  # or, if it is another repository's:"
                f" echo {shlex.quote(f'{server} {name} {now}')} >>{FILE}",
            )
