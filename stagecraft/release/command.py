"""The verbs around releases."""

import getpass
import socket
import sys
import tempfile
from pathlib import Path

import click

from stagecraft.command import EnvironmentName
from stagecraft.project import here
from stagecraft.release.ci import as_ci
from stagecraft.release.remote import call
from stagecraft.release.source import find
from stagecraft.settings import Environment, Site, read

ENVIRONMENT = click.argument("environment", type=EnvironmentName())
SITE = click.option("--site", help="Which of the environment's sites, if it has several.")
CI = click.option("--ci", is_flag=True, help="Log in as the environment's CI, with its key.")
CONFIRM = click.option("--confirm", metavar="ENVIRONMENT", help="Say yes beforehand, by its name.")


@click.command()
@ENVIRONMENT
@click.argument("ref", required=False)
@SITE
@CI
@CONFIRM
@click.option(
    "--contract",
    is_flag=True,
    help="Also run migrations that the present release would not survive, such as a dropped column."
    " No rollback goes further back.",
)
def release(
    environment: str,
    ref: str | None,
    site: str | None,
    ci: bool,
    confirm: str | None,
    contract: bool,
) -> int:
    """Releases a branch, tag or commit of the application.

    Without REF, the one that the environment's file names (app: ref:). If a step fails, the site
    keeps its present release.
    """
    settings, target = targeted(environment, site, ci)
    if not target.app:
        raise click.ClickException(
            f"group_data/{environment}.yml does not say what to release: set app: of {target.key}"
        )
    source = find(target.app, ref, here())
    sure(target, f"release {source.ref} ({source.commit[:7]}) to", confirm)
    click.echo(f"Releasing {source.ref} ({source.commit[:7]}) to {target.domain}")
    with tempfile.TemporaryDirectory() as directory:
        archive = Path(directory) / "release.tar.gz"
        source.pack(archive)
        size = archive.stat().st_size
        words = ["release", target.name, "--commit", source.commit, "--ref", source.ref]
        words += ["--size", str(size), "--by", person()]
        words += ["--contract"] if contract else []
        return call(settings.server, here(), words, archive)


@click.command()
@ENVIRONMENT
@click.argument("release", required=False)
@SITE
@CI
@CONFIRM
@click.option("--now", is_flag=True, help="Switch at once, without booting it first.")
def rollback(
    environment: str,
    release: str | None,
    site: str | None,
    ci: bool,
    confirm: str | None,
    now: bool,
) -> int:
    """Returns to the previous good release, or to RELEASE (its id, or its commit)."""
    settings, target = targeted(environment, site, ci)
    sure(target, "return to an earlier release of", confirm)
    words = ["rollback", target.name, *([release] if release else []), *(["--now"] if now else [])]
    return call(settings.server, here(), [*words, "--by", person()])


@click.command()
@ENVIRONMENT
@SITE
@CI
def releases(environment: str, site: str | None, ci: bool) -> int:
    """Lists what was released when, by whom, and how it went."""
    settings, target = targeted(environment, site, ci)
    return call(settings.server, here(), ["releases", target.name])


@click.command()
@ENVIRONMENT
@SITE
@CI
def follow(environment: str, site: str | None, ci: bool) -> int:
    """Follows the release or rollback that is running."""
    settings, target = targeted(environment, site, ci)
    return call(settings.server, here(), ["follow", target.name])


def targeted(environment: str, key: str | None, ci: bool = False) -> tuple[Environment, Site]:
    """The environment and its site. Raises click.ClickException if it does not say which one, or
    has no CI."""
    settings = read(environment, here())
    if ci:
        settings = as_ci(settings)
    keys = [site.key for site in settings.sites]
    chosen = [site for site in settings.sites if site.key == key or (key is None and site.app)]
    if len(chosen) == 1:
        return settings, chosen[0]
    if key:
        raise click.ClickException(f"{environment} has no site {key}; it has {', '.join(keys)}")
    which = "several sites" if chosen else "no site"
    raise click.ClickException(
        f"{environment} has {which} with app: set: name one with --site ({', '.join(keys)})"
    )


def sure(site: Site, action: str, confirmed: str | None) -> None:
    """Asks first where visitors are. Raises click.ClickException or click.Abort."""
    if confirmed not in (None, site.environment):
        raise click.ClickException(f"--confirm {confirmed} is not for {site.environment}")
    if site.mark_staging or confirmed:
        return
    if not sys.stdin.isatty():
        raise click.ClickException(
            f"there is no terminal to ask: say --confirm {site.environment} to {action} it"
        )
    click.confirm(f"{action.capitalize()} {site.environment} ({site.domain})?", abort=True)


def person() -> str:
    return f"{getpass.getuser()}@{socket.gethostname()}"
