"""Preflight: what the machine is, and whether it can become what is declared."""

from __future__ import annotations

from pyinfra.context import host

from stagecraft.errors import ServerError
from stagecraft.facts.machine import Machine
from stagecraft.machine import supported_machine
from stagecraft.packages import php_version
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
