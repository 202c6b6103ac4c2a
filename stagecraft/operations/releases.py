"""Releases become root's, so that the running app cannot change what nginx and PHP serve."""

import shlex
from collections.abc import Generator, Sequence

from pyinfra.api.command import StringCommand
from pyinfra.api.operation import OperationMeta, operation
from pyinfra.context import host

from stagecraft.facts.cached_configuration import FRESH, STALE, CachedConfigurationFact
from stagecraft.facts.releases import LEADING_OUT, ReleasesFact
from stagecraft.harmless import in_one_line
from stagecraft.operations.files import Written
from stagecraft.operations.scripts import run_script, script
from stagecraft.operations.services import pending
from stagecraft.run import report_states
from stagecraft.seen import State
from stagecraft.services import Program
from stagecraft.settings import Site

HAND_OVER = script("hand_over")

ROOTS = "root's, without links that lead out of them"


def root_owns_releases(*, name: str, site: Site) -> OperationMeta:
    """Ensures that root owns the site's releases, and that no link in their public/ leads out of
    them. The plan lists the releases to change and the links to remove."""
    if found := not_owned_by_root(site):
        name += f": {found}"
    return handed_over(name=name, site=site)


@operation()
def configured(site: Site, after: Sequence[Written]) -> Generator[str]:
    """Ensures that the current release's cached configuration is that of its .env, which `after`
    writes, and that PHP and the workers have read it."""
    state = f"{Program.state}/{site.name}"
    cached = host.get_fact(CachedConfigurationFact, home=site.home, state=state)
    found = STALE if cached == STALE else FRESH
    report_states(State("configuration", site.name, FRESH, found))
    if cached == STALE or (cached and pending(after)):
        yield f"{Program.path} configure {shlex.quote(site.name)} --within-run --by deploy.py"


def not_owned_by_root(site: Site) -> str:
    """The paths, limited in number and escaped, because the site chooses them."""
    paths: list[str] = host.get_fact(ReleasesFact, home=site.home, shared=site.shared)
    return in_one_line(paths)


@operation()
def handed_over(site: Site) -> Generator[StringCommand]:
    """What `root_owns_releases` ensures."""
    found = not_owned_by_root(site)
    present = f"not so: {found}" if found else ROOTS
    report_states(State("releases", f"{site.home}/releases", ROOTS, present))
    if found:
        shared = f"shared={shlex.quote(' '.join(site.shared))}\n"
        yield run_script(shared + LEADING_OUT + HAND_OVER, site.home, site.name)
