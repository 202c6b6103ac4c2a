"""Debian packages, installed in one step. stagecraft/packages.py lists them."""

from urllib.parse import urlsplit

from pyinfra.api.deploy import deploy

from stagecraft.facts.machine import Machine
from stagecraft.operations import files
from stagecraft.operations.files import Written
from stagecraft.operations.nodes import Directory, File
from stagecraft.operations.packages import Installed, installed
from stagecraft.operations.services import running
from stagecraft.packages import MACHINE_PACKAGES, php_version, wanted
from stagecraft.render import file
from stagecraft.run import Run, this_run
from stagecraft.services import LOGROTATE, replaced
from stagecraft.settings import Environment
from stagecraft.settings.models import AptSource
from tasks.database import ours
from tasks.nginx import WELCOME_PAGE


@deploy("Packages")
def packages() -> Installed:
    run = this_run()
    environment, machine = run.environment, run.machine
    new = installed(
        name="Install Debian packages",
        packages=wanted(environment, machine),
        # Each site has its own instances of these.
        never_started=replaced(php_versions(environment, machine)),
        users=users(run),
        after=[apt_sources(environment, machine)],
    )
    running(name="Run logrotate's timer", unit=LOGROTATE)
    return new


@deploy("Machine packages")
def machine_packages() -> None:
    """What bootstrap.py needs."""
    installed(
        name="Install the machine's packages", packages=MACHINE_PACKAGES, users=users(this_run())
    )


def php_versions(environment: Environment, machine: Machine) -> list[str]:
    return sorted({php_version(site, machine) for site in environment.sites})


def users(run: Run) -> list[str]:
    """Who else uses the installed packages: other environments, and vhosts and a database server of
    others."""
    environment = run.environment
    others = [name for name in run.manifest.environments if name != environment.name]
    others += [vhost.path for vhost in run.neighbours.vhosts if vhost.sha256 != WELCOME_PAGE]
    return others if ours(run) else [*others, environment.server.engine.name]


def apt_sources(environment: Environment, machine: Machine) -> Written:
    """The declared archives. Each key is trusted only for its own archive."""
    nodes: list[File | Directory] = []
    for name, source in environment.server.apt_sources.items():
        nodes += apt_source(name, source, machine)
    return files.tree(name="Write /etc/apt/sources.list.d", tree="apt", nodes=nodes)


def apt_source(name: str, source: AptSource, machine: Machine) -> list[File | Directory]:
    key = f"/etc/apt/keyrings/stagecraft-{name}.asc"
    nodes: list[File | Directory] = [Directory("/etc/apt/keyrings")]
    if source.armored_key:
        nodes.append(File(key, source.armored_key))
    path = f"/etc/apt/sources.list.d/stagecraft-{name}.sources"
    nodes.append(file(path, "apt/archive.sources.j2", source=source, key=key))
    if source.pin is not None:
        path = f"/etc/apt/preferences.d/stagecraft-{name}.pref"
        pins = pinned(source, machine)
        nodes.append(file(path, "apt/archive.pref.j2", source=source, pins=pins))
    return nodes


def pinned(source: AptSource, machine: Machine) -> list[str]:
    """What identifies the archive for apt: its suite, or its host if the suite has the name of this
    Debian's own."""
    if machine.codename in source.suites:
        hosts = {urlsplit(uri).hostname for uri in source.uris}
        return [f"origin {host}" for host in sorted(filter(None, hosts))]
    return [f"release {suite}" for suite in source.suites]
