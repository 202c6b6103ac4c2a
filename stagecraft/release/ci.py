"""The operator's command in CI."""

import click

from stagecraft.services import Ci
from stagecraft.settings import Environment


def as_ci(settings: Environment) -> Environment:
    """The environment as its CI reaches it: with the keys that ssh tries by itself. Raises
    click.ClickException if it has none."""
    server = settings.server
    if not server.host or settings.name not in server.host.ci:
        raise click.ClickException(f"group_data/{settings.name}.yml lists no keys under ci:")
    login = {"ssh_user": Ci(settings.name).user, "ssh_key": None}
    return settings.model_copy(update={"server": server.model_copy(update=login)})
