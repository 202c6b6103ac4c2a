"""The machine of a run: a supported Debian, with root's rights."""

from pyinfra.api.exceptions import PyinfraError
from pyinfra.context import host

from stagecraft.errors import ServerError
from stagecraft.facts.machine import DISTRIBUTION_VERSIONS, Machine, MachineFact
from stagecraft.settings import Environment


def supported_machine(environment: Environment) -> Machine:
    """Raises ServerError for another system, or without root's rights."""
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
