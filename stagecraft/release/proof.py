"""Production takes only what another environment has run healthily."""

from collections.abc import Sequence
from pathlib import Path

import click

from stagecraft.on_server.actions import CONFIGURE, DONE, REFUSED
from stagecraft.on_server.listing import Entry
from stagecraft.on_server.releases import GOOD
from stagecraft.release.ci import as_ci
from stagecraft.release.listed import listed
from stagecraft.settings import Site, read

NO_RULE = "has no effect: the site has no app: proven_in:"

ANYWAY = "or say why it is released all the same: --unproven REASON"


def prove(site: Site, commit: str, root: Path, unproven: str | None, *, ci: bool = False) -> None:
    """Raises click.ClickException unless the environment of the site's `app: proven_in:`, if it has
    one, has run the commit well, or somebody says why not."""
    where = site.app.proven_in if site.app else None
    if unproven is not None and not (where and unproven.strip()):
        raise click.ClickException("--unproven " + ("needs a reason" if where else NO_RULE))
    if where and not unproven:
        refuse_unproven(site, commit, root, where, ci=ci)


def refuse_unproven(site: Site, commit: str, root: Path, where: str, *, ci: bool) -> None:
    short, settings = commit[:7], read(where, root)
    proving = next((other for other in settings.sites if other.key == site.key), None)
    if not proving:
        raise click.ClickException(f"{where}, which proves {site.name}, has no site {site.key}")
    try:
        entries = listed(as_ci(settings) if ci else settings, proving, root)
    except click.ClickException as error:
        raise click.ClickException(
            f"whether {where} has run {short} is unknown: {error.message}. Try again, {ANYWAY}"
        ) from None
    if problem := objection(entries, commit):
        raise click.ClickException(f"{where} {problem} {short}: release it there first, {ANYWAY}")


def objection(entries: Sequence[Entry], commit: str) -> str:
    """Why what was done with the commit is no proof; empty if it is. The last time counts."""
    tried = [
        entry
        for entry in entries
        if entry.get("commit") == commit
        and entry.get("verb") != CONFIGURE
        and entry.get("outcome") != REFUSED
    ]
    if not tried:
        return "has never run"
    if tried[-1].get("outcome") != DONE:
        return "has failed to run"
    return "" if tried[-1].get("state") == GOOD else "has come back from"
