"""Debian packages, installed in one step and without starting their services."""

from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass
from textwrap import wrap

from pyinfra import logger
from pyinfra.api.command import StringCommand
from pyinfra.api.operation import OperationMeta, operation
from pyinfra.context import host

from stagecraft.errors import ServerError
from stagecraft.facts.installation import Installation, InstallationFact
from stagecraft.harmless import harmless
from stagecraft.operations.files import Written
from stagecraft.operations.scripts import run_script, script
from stagecraft.operations.services import pending
from stagecraft.run import report_states, this_run
from stagecraft.seen import State

INSTALL_PACKAGES = script("install_packages")

UPGRADE = "upgrade"
"""`--data upgrade=true` lets a run upgrade packages that others on the server use."""

UNBROKEN = "\u00a0"
"""A no-break space, to keep a package and its version on one line."""


@dataclass(frozen=True)
class Installed:
    """The packages that were missing, and the operation that installs them."""

    missing: Sequence[str]
    meta: OperationMeta

    def extends(self, php: str) -> list[OperationMeta]:
        """The operation, if it installs something for this PHP version; all its servers load it."""
        new = any(package.startswith(f"php{php}-") for package in self.missing)
        return [self.meta] if new else []


def installed(
    *,
    name: str,
    packages: Sequence[str],
    never_started: Sequence[str] = (),
    users: Sequence[str] = (),
    after: Sequence[Written] = (),
) -> Installed:
    """Ensures that the packages are installed; never removes or replaces another package, and
    starts, stops and restarts nothing. The plan lists the new version of each package, and the one
    that it replaces. Raises ServerError for a package that the server's archives do not have, and
    for an upgrade that affects others without --data upgrade=true.

    Args:
        packages: Debian package names.
        never_started: units of these packages that must not run, because each environment has its
            own instance. A unit that already exists belongs to somebody and is not touched.
        users: those on the server, besides the environment, who use the installed packages.
        after: what writes the archives' list; until it has run, versions are unknown.
    """
    wanted = sorted(packages)
    found: Installation = host.get_fact(InstallationFact, packages=wanted)
    missing = [package for package in wanted if package not in found.installed]
    affected = [] if may_upgrade_others() else list(users)
    if missing and not this_run().checks:  # the check reports these by itself
        if pending(after) or (found.problems and not found.fresh):
            announce("install, in the versions that the archives have at that time", missing)
        else:
            announce_changes(found, affected)
    meta = install(
        name=name, packages=wanted, never_started=never_started, may_upgrade=not affected
    )
    return Installed(missing, meta)


def announce_changes(found: Installation, users: Sequence[str]) -> None:
    if found.problems:
        raise ServerError(
            f"{host.name}: {'; '.join(found.problems)}. Nothing was changed: correct the name, or"
            " declare an archive that has it in group_data/all.yml under servers:"
            f" {host.name}: apt_sources:"
        )
    if found.upgrades and users:
        raise ServerError(
            f"{host.name}: this run installs packages that need newer versions of packages that"
            f" {' and '.join(users)} may use: {', '.join(map(str, found.upgrades))}. Nothing was"
            f" changed: to upgrade them, run again with --data {UPGRADE}=true at a suitable time"
        )
    announce("install", [change for change in found.changes if not change.old])
    announce("upgrade", found.upgrades)


def may_upgrade_others() -> bool:
    word = host.data.get(UPGRADE, False)
    if not isinstance(word, bool):
        raise ServerError(f"--data {UPGRADE}={harmless(str(word))}: must be true or false")
    return word


def announce(what: str, packages: Iterable[object]) -> None:
    listed = ", ".join(f"{package}".replace(" ", UNBROKEN) for package in packages)
    if listed:
        logger.info(f"{host.print_prefix}Packages to {what}:")
    for line in wrap(listed, 100, break_long_words=False, break_on_hyphens=False):
        logger.info(f"{host.print_prefix}  {line.replace(UNBROKEN, ' ')}")


@operation()
def install(
    packages: Sequence[str], never_started: Sequence[str], may_upgrade: bool
) -> Generator[StringCommand]:
    """What `installed` ensures. The manifest records the packages that were missing."""
    found: Installation = host.get_fact(InstallationFact, packages=list(packages))
    present = dict.fromkeys(found.installed, "installed")
    report_states(
        *(State("package", name, "installed", present.get(name, "")) for name in packages)
    )
    missing = sorted(set(packages) - found.installed)
    if missing:
        upgrades = "upgrade" if may_upgrade else "keep"
        manifest, units = this_run().manifest.path, " ".join(never_started)
        yield run_script(INSTALL_PACKAGES, manifest, units, upgrades, *missing)
