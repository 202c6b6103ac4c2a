"""`stagecraft drift`: how servers differ from the files."""

import os
import sys
from datetime import UTC, datetime
from pathlib import Path

import click

from stagecraft.command import EnvironmentName
from stagecraft.drift.looking.checks import checks
from stagecraft.program import uninterrupted
from stagecraft.project import here, inventory, lasting

EPILOG = """\b
Exit code:
  0  clean: the servers are what the files say, but for what waivers.yml waives
  1  not everything could be checked; what was found is shown all the same
  2  drift: something differs

Nothing is changed on any server. docs/drift.md says the rest.
"""


@click.command(epilog=EPILOG)
@click.argument("environments", nargs=-1, type=EnvironmentName())
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of text.")
@click.option(
    "--history",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path(".stagecraft/drift.jsonl"),
    show_default=True,
    help="Where the checks before this one are remembered.",
)
def drift(environments: tuple[str, ...], as_json: bool, history: Path) -> int:
    """Compares servers with the files: what differs, how bad it is, and since when.

    Without ENVIRONMENTS, all whose servers are no throwaways.
    """
    inventories = [inventory(name) for name in environments or lasting(here())]
    if not inventories:
        raise click.ClickException("there is no environment to check: name one, or add its files")
    for missing in (path for path in inventories if not path.is_file()):
        raise click.ClickException(
            f"there is no {missing}: create it like the inventories beside it"
        )
    at = datetime.now(UTC).replace(microsecond=0)
    with checks(inventories) as wait:
        # Imported while the checks run: pyinfra's import takes half as long as a check.
        with uninterrupted():
            from stagecraft.drift.judging.waivers import FILE, read_waivers
            from stagecraft.drift.telling.history import conclude
            from stagecraft.drift.telling.text import shown

        waivers = read_waivers(Path(FILE), at.date())
        reports = wait()
    verdict = conclude(reports, waivers, history, at)
    if as_json:
        click.echo(verdict.model_dump_json(by_alias=True, indent=2))
    else:
        # https://no-color.org
        colourful = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
        click.echo(shown(verdict), nl=False, color=colourful)
    for problem in verdict.problems:
        click.echo(f"Error: {problem}", err=True)
    return verdict.exit_code
