"""Preflight: reads the machine, and checks that it can reach the declared state."""

from __future__ import annotations

from pyinfra.api.exceptions import PyinfraError
from pyinfra.context import host

from stagecraft.errors import ServerError
from stagecraft.facts.machine import DISTRIBUTION_VERSIONS, Machine, MachineFact
from stagecraft.settings import Environment, Site
from stagecraft.sizes import too_large


def machine(environment: Environment) -> Machine:
    """The server as it is. Raises ServerError before anything is changed if it lacks something that
    the environment needs."""
    found = supported_machine(environment)
    for site in environment.sites:
        require_php(site, environment, found)
        require_memory(site, found)
    return found


def bare_machine(environment: Environment) -> Machine:
    """The server as delivered by a provider. Also raises ServerError without `host`."""
    if environment.server.host is None:
        name = environment.server.name
        raise ServerError(
            f"{host.name}: no admins are declared: list them in group_data/all.yml under servers:"
            f" {name}: host: admins:"
        )
    return supported_machine(environment)


def supported_machine(environment: Environment) -> Machine:
    found = read_machine()
    if found is None or found.uid != 0:
        raise ServerError(
            f"{host.name}: this account cannot become root; log in as root, or as an account with"
            " passwordless sudo, and set it in group_data/all.yml under servers:"
            f" {environment.server.name}: ssh_user:"
        )
    if not found.supported:
        releases = " or ".join(sorted(DISTRIBUTION_VERSIONS))
        raise ServerError(
            f"{host.name} runs {found.distribution} {found.version}; Debian {releases} is needed"
        )
    return found


def read_machine() -> Machine | None:
    """None if sudo needs a password and there is no terminal for pyinfra to ask for it."""
    try:
        found: Machine | None = host.get_fact(MachineFact)
    except EOFError:
        return None
    except PyinfraError as error:
        raise ServerError(
            f"{host.name} accepts the login of this account but runs no command; the lines above"
            " say why. If its password has expired, log in once with ssh and set a new one, then"
            " start again"
        ) from error
    return found


def require_php(site: Site, environment: Environment, machine: Machine) -> None:
    """Another PHP than this Debian's needs a declared archive."""
    if php_version(site, machine) != machine.php and not environment.server.apt_sources:
        raise ServerError(
            f"{host.name}: {site.name} needs PHP {site.php}, but Debian {machine.version} has"
            f" {machine.php}; declare an archive that has it in group_data/all.yml under"
            f' servers: {environment.server.name}: apt_sources, or set php: "{machine.php}"'
        )


def require_memory(site: Site, machine: Machine) -> None:
    """Absolute sizes must fit into the machine."""
    if wrong := too_large(site, machine):
        place = f"group_data/{site.environment}.yml: sites: {site.key}"
        raise ServerError(f"{host.name}: {place}: {wrong}")


def php_version(site: Site, machine: Machine) -> str:
    """The declared PHP version, or this Debian's."""
    return site.php or machine.php
