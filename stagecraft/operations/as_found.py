"""The server's state before anything was declared for it, recorded once."""

from collections.abc import Generator
from dataclasses import replace
from typing import Any

from pyinfra import logger
from pyinfra.api.command import FunctionCommand, StringCommand
from pyinfra.api.operation import operation
from pyinfra.context import host

from stagecraft.facts.as_found import UNREAD, AsFound, AsFoundFact
from stagecraft.facts.identity import IdentityFact
from stagecraft.facts.network import NetworkFact
from stagecraft.facts.packages import PackagesFact
from stagecraft.facts.unpackaged import UnpackagedFilesFact
from stagecraft.known_records import AS_FOUND as RECORD
from stagecraft.known_records import KnownRecords, digest
from stagecraft.operations.manifest import written
from stagecraft.paths import AS_FOUND


@operation()
def remembered(known: KnownRecords) -> Generator[StringCommand | FunctionCommand]:
    """Ensures that the server has a record of its state at first contact, by which the drift check
    distinguishes a provider's image from later changes, and that the project has the record's
    checksum, so that later additions to it are noticed."""
    found = host.get_fact(AsFoundFact)
    if found is None:
        files, packages = host.get_fact(UnpackagedFilesFact), host.get_fact(PackagesFact)
        found = AsFound(
            files=frozenset(file.path for file in files if file.printable),
            marks={file.path: file.mark for file in files if file.printable},
            packages=frozenset(name for name, package in packages.items() if package.manual),
            things=frozenset({UNREAD}),
        )
        yield written(AS_FOUND, found.text)
        yield FunctionCommand(noted, (known, found.text), {})
    elif not known.sum(RECORD):
        yield FunctionCommand(noted, (known, found.text), {})


@operation()
def known_well(known: KnownRecords) -> Generator[StringCommand | FunctionCommand]:
    """Ensures that the record has accounts, names and the network, too. For the first contact, once
    the server has Python, which reads them."""
    things = host.get_fact(IdentityFact).first_day | host.get_fact(NetworkFact).first_day
    found = replace(host.get_fact(AsFoundFact) or AsFound(), things=things)
    yield written(AS_FOUND, found.text)
    yield FunctionCommand(noted, (known, found.text), {})


def unfinished(found: AsFound | None, known: KnownRecords) -> bool:
    """Whether the first contact is still to come, or was interrupted before it had recorded all;
    nobody has changed its record meanwhile."""
    if found is None:
        return True
    return UNREAD in found.things and known.sum(RECORD) in ("", digest(found.text))


def noted(state: Any, host: Any, known: KnownRecords, text: str) -> bool:
    """pyinfra passes `state` and `host` by name."""
    known.note(RECORD, text)
    if known.lasting:
        logger.info(
            f"{host.print_prefix}commit {known.path.name}: it has the sum of what was found"
        )
    return True
