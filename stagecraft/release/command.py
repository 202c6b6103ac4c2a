"""The verbs around releases."""

import sys
import tempfile
from pathlib import Path

import click

from stagecraft.command import EnvironmentName
from stagecraft.on_server.listing import as_json, as_markdown, as_table
from stagecraft.project import here
from stagecraft.release.ci import as_ci
from stagecraft.release.dry import show, show_release
from stagecraft.release.listed import listed
from stagecraft.release.person import person
from stagecraft.release.proof import prove
from stagecraft.release.remote import call
from stagecraft.release.source import Source, find, repository_of
from stagecraft.release.tags import tag
from stagecraft.settings import Environment, Site, read

ENVIRONMENT = click.argument("environment", type=EnvironmentName())
SITE = click.option("--site", help="Which of the environment's sites, if it has several.")
CI = click.option("--ci", is_flag=True, help="Log in as the environment's CI, with its key.")
DRY = click.option("--dry", is_flag=True, help="Say what would happen, and do nothing.")
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
@click.option(
    "--artifact",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Release this tar.gz, which CI has built of REF, in place of what git has. The commands of"
    " build: are not run.",
)
@click.option(
    "--unproven",
    metavar="REASON",
    help="Release a commit that the environment of app: proven_in: has not run well.",
)
@click.option("--push-tags", is_flag=True, help="Push the tag that a release for visitors gets.")
@click.option(
    "--maintenance",
    is_flag=True,
    help="Keep visitors out from before the migrations until the new release answers well, and"
    " print a link that admits you.",
)
@DRY
def release(
    environment: str,
    ref: str | None,
    site: str | None,
    ci: bool,
    confirm: str | None,
    contract: bool,
    artifact: Path | None,
    unproven: str | None,
    push_tags: bool,
    maintenance: bool,
    dry: bool,
) -> int:
    """Releases a branch, tag or commit of the application.

    Without REF, the one that the environment's file names (app: ref:). If a step fails, the site
    keeps its present release.
    """
    settings, target = targeted(environment, site, ci)
    if push_tags and target.mark_staging:
        raise click.ClickException(f"--push-tags has no effect: {environment} is marked as staging")
    source, by = source_of(target, ref), person(here())
    prove(target, source.commit, here(), unproven, ci=ci)
    words = ["release", target.name, "--commit", source.commit, "--ref", source.ref, f"--by={by}"]
    words += ["--contract"] if contract else []
    words += ["--maintenance"] if maintenance else []
    words += ["--built"] if artifact else []
    words += [f"--unproven={unproven}"] if unproven else []
    if dry:
        return show_release(settings.server, here(), words, source, artifact)
    sure(target, f"release {source.ref} ({source.commit[:7]}) to", confirm)
    click.echo(f"Releasing {source.ref} ({source.commit[:7]}) to {target.domain}")
    with tempfile.TemporaryDirectory() as directory:
        archive = artifact or source.pack(Path(directory) / "release.tar.gz")
        size = archive.stat().st_size
        code = call(settings.server, here(), [*words, "--size", str(size)], archive)
    if code == 0 and not target.mark_staging and (push_tags or not ci):
        tag(source, target, by, push=push_tags)
    return code


@click.command()
@ENVIRONMENT
@click.argument("release", required=False)
@SITE
@CI
@CONFIRM
@click.option("--now", is_flag=True, help="Switch at once, without booting it first.")
@DRY
def rollback(
    environment: str,
    release: str | None,
    site: str | None,
    ci: bool,
    confirm: str | None,
    now: bool,
    dry: bool,
) -> int:
    """Returns to the previous good release, or to RELEASE (its id, or its commit)."""
    settings, target = targeted(environment, site, ci)
    words = ["rollback", target.name, *([release] if release else []), *(["--now"] if now else [])]
    words += [f"--by={person(here())}"]
    if dry:
        repository = repository_of(target.app.source, here()) if target.app else None
        return show(settings.server, here(), words, repository)
    sure(target, "return to an earlier release of", confirm)
    return call(settings.server, here(), words)


@click.command()
@ENVIRONMENT
@SITE
@CI
@click.option("--limit", type=click.IntRange(min=1), help="Only the newest so many.")
@click.option("--json", "shown", flag_value="json", help="With every detail.")
@click.option("--markdown", "shown", flag_value="markdown", help="A table for a document.")
def releases(
    environment: str, site: str | None, ci: bool, limit: int | None, shown: str | None
) -> None:
    """Lists what was released when, by whom, and how it went."""
    settings, target = targeted(environment, site, ci)
    text = {"json": as_json, "markdown": as_markdown}.get(shown or "", as_table)
    click.echo(text(listed(settings, target, here(), limit)))


@click.command()
@ENVIRONMENT
@SITE
@CI
def follow(environment: str, site: str | None, ci: bool) -> int:
    """Follows the release or rollback that is running."""
    settings, target = targeted(environment, site, ci)
    return call(settings.server, here(), ["follow", target.name])


def source_of(site: Site, ref: str | None) -> Source:
    """Raises click.ClickException."""
    if site.app:
        return find(site.app, ref, here())
    raise click.ClickException(
        f"group_data/{site.environment}.yml does not say what to release: set app: of {site.key}"
    )


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
