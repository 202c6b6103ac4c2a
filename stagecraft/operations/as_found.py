"""What a server had before anything was declared for it, written down once."""

from __future__ import annotations

from collections.abc import Generator

from pyinfra.api.command import StringCommand
from pyinfra.api.operation import operation
from pyinfra.context import host

from stagecraft.facts.as_found import AsFound, AsFoundFact
from stagecraft.facts.packages import PackagesFact
from stagecraft.facts.strays import Strays
from stagecraft.operations.manifest import written
from stagecraft.paths import AS_FOUND


@operation()
def remembered() -> Generator[StringCommand]:
    """Ensures that the server says what was on it when this was first asked for, so that the drift
    check can tell a provider's image from what people have done since."""
    if host.get_fact(AsFoundFact) is None:
        packages = host.get_fact(PackagesFact)
        found = AsFound(
            files=frozenset(stray.path for stray in host.get_fact(Strays)),
            packages=frozenset(name for name, package in packages.items() if package.manual),
        )
        yield StringCommand(written(AS_FOUND, found.text), _stdin=found.text)
