"""What a server says was released."""

from pathlib import Path

import click

from stagecraft.on_server.listing import Entry, parsed
from stagecraft.release.remote import ask
from stagecraft.settings import Environment, Site


def listed(settings: Environment, site: Site, root: Path, limit: int | None = None) -> list[Entry]:
    """The oldest first. Raises click.ClickException."""
    newest = [f"--limit={limit}"] if limit else []
    try:
        return parsed(ask(settings.server, root, ["releases", site.name, "--json", *newest]))
    except ValueError:
        problem = f"{settings.server.name} does not answer with a list of releases"
        raise click.ClickException(f"{problem}: has deploy.py updated its program?") from None
