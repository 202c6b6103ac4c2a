"""Debian packages, installed in one go and without starting what nobody asked for."""

from __future__ import annotations

import shlex
from collections.abc import Generator, Sequence
from pathlib import Path

from pyinfra.api.command import StringCommand
from pyinfra.api.operation import operation
from pyinfra.context import host

from stagecraft.facts.packages import InstalledPackages
from stagecraft.manifest import manifest
from stagecraft.seen import State, saw

INSTALL_PACKAGES = Path(__file__).with_name("install_packages.sh").read_text()


@operation()
def installed(
    packages: Sequence[str], never_started: Sequence[str] = ()
) -> Generator[StringCommand]:
    """Ensures that the packages are installed; never removes or replaces another package, and
    starts, stops and restarts nothing. The manifest records those that were not there.

    Args:
        packages: Debian package names.
        never_started: units that these packages bring and that shall not run, because each
            environment has an instance of its own. A unit that is already on the server belongs
            to somebody and is left alone.
    """
    present = host.get_fact(InstalledPackages, packages=sorted(packages))
    found = dict.fromkeys(present, "installed")
    saw(*(State("package", name, "installed", found.get(name, "")) for name in packages))
    missing = sorted(set(packages) - present)
    if missing:
        arguments = [manifest().path, " ".join(never_started), *missing]
        yield StringCommand(
            "sh", "-c", shlex.quote(INSTALL_PACKAGES), "install-packages",
            *map(shlex.quote, arguments),
        )  # fmt: skip
