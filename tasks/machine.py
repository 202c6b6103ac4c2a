"""Preflight: what the machine is, and whether it can become what is declared."""

from __future__ import annotations

from pyinfra.api.exceptions import PyinfraError
from pyinfra.context import host

from stagecraft.errors import ServerError
from stagecraft.facts.machine import DISTRIBUTION_VERSIONS, Machine, MachineFact
from stagecraft.settings import Environment, Site
from stagecraft.sizes import too_large


def machine(environment: Environment) -> Machine:
    """The server as it is. Raises ServerError, before anything is changed, when it lacks what
    the environment needs."""
    found = supported_machine(environment)
    for site in environment.sites:
        require_php(site, environment, found)
        require_memory(site, found)
    return found


def bare_machine(environment: Environment) -> Machine:
    """The server as a provider hands it over. Raises ServerError also when nothing says what it
    shall become."""
    if environment.server.host is None:
        name = environment.server.name
        raise ServerError(
            f"{host.name}: who shall be let in? Declare it in group_data/all.yml under servers:"
            f" {name}: host: admins:"
        )
    return supported_machine(environment)


def supported_machine(environment: Environment) -> Machine:
    found = read_machine()
    if found is None or found.uid != 0:
        raise ServerError(
            f"{host.name}: this account has no root rights; log in as root, or as an account with"
            f" passwordless sudo that group_data/all.yml names: servers: {environment.server.name}:"
            " ssh_user:"
        )
    if not found.supported:
        releases = " or ".join(sorted(DISTRIBUTION_VERSIONS))
        raise ServerError(
            f"{host.name} runs {found.distribution} {found.version}; Debian {releases} is needed"
        )
    return found


def read_machine() -> Machine | None:
    """None where sudo wants a password and nobody is there to give it (pyinfra asks)."""
    try:
        found: Machine | None = host.get_fact(MachineFact)
    except EOFError:
        return None
    except PyinfraError as error:
        raise ServerError(
            f"{host.name} lets this account in and runs nothing for it; the lines above say why."
            " Where the password has expired, log in once with ssh: it asks for a new one. Then"
            " start again"
        ) from error
    return found


def require_php(site: Site, environment: Environment, machine: Machine) -> None:
    """A PHP that is not this Debian's must come from an archive declared for the server."""
    if php_version(site, machine) != machine.php and not environment.server.apt_sources:
        raise ServerError(
            f"{host.name}: {site.name} wants PHP {site.php}, and Debian {machine.version} has"
            f" {machine.php}; declare an archive that has it in group_data/all.yml under"
            f' servers: {environment.server.name}: apt_sources, or set php: "{machine.php}"'
        )


def require_memory(site: Site, machine: Machine) -> None:
    """Sizes that a percentage does not bound must fit into the machine."""
    if wrong := too_large(site, machine):
        place = f"group_data/{site.environment}.yml: sites: {site.key}"
        raise ServerError(f"{host.name}: {place}: {wrong}")


def php_version(site: Site, machine: Machine) -> str:
    """The site's PHP version: as declared, else the one this Debian ships."""
    return site.php or machine.php
