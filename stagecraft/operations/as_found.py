"""What a server had before anything was declared for it, written down once."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from pyinfra import logger
from pyinfra.api.command import FunctionCommand, StringCommand
from pyinfra.api.operation import operation
from pyinfra.context import host

from stagecraft.facts.as_found import AsFound, AsFoundFact
from stagecraft.facts.packages import PackagesFact
from stagecraft.facts.unpackaged import UnpackagedFilesFact
from stagecraft.known_records import AS_FOUND as RECORD
from stagecraft.known_records import KnownRecords
from stagecraft.operations.manifest import written
from stagecraft.paths import AS_FOUND


@operation()
def remembered(known: KnownRecords) -> Generator[StringCommand | FunctionCommand]:
    """Ensures that the server says what was on it when this was first asked for, so that the drift
    check can tell a provider's image from what people have done since; and that the project knows
    the sum of that, so that nobody adds to it later."""
    found = host.get_fact(AsFoundFact)
    if found is None:
        files, packages = host.get_fact(UnpackagedFilesFact), host.get_fact(PackagesFact)
        found = AsFound(
            files=frozenset(file.path for file in files if file.printable),
            packages=frozenset(name for name, package in packages.items() if package.manual),
        )
        yield StringCommand(written(AS_FOUND, found.text), _stdin=found.text)
        yield FunctionCommand(noted, (known, found.text), {})
    elif not known.sum(RECORD):
        yield FunctionCommand(noted, (known, found.text), {})


def noted(state: Any, host: Any, known: KnownRecords, text: str) -> bool:
    """pyinfra passes `state` and `host` by these names."""
    known.note(RECORD, text)
    if known.lasting:
        logger.info(
            f"{host.print_prefix}commit {known.path.name}: it has the sum of what was found"
        )
    return True
