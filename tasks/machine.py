"""Preflight: reads the machine, and checks that it can reach the declared state."""

from pyinfra.context import host

from stagecraft.errors import ServerError
from stagecraft.facts.machine import Machine
from stagecraft.machine import supported_machine
from stagecraft.packages import php_version
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
