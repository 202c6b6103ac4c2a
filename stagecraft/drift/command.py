"""`stagecraft drift`: how servers differ from the files."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from stagecraft.drift.findings import Report
    from stagecraft.drift.judging.verdict import Verdict

from stagecraft.command import EnvironmentName
from stagecraft.drift.looking.checks import checks
from stagecraft.program import uninterrupted
from stagecraft.project import here, inventory, lasting

SUNDAY = 6

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
    "--full", is_flag=True, help="Also what takes longest, as the check does on Sundays by itself."
)
@click.option(
    "--history",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path(".stagecraft/drift.jsonl"),
    show_default=True,
    help="Where the checks before this one are remembered.",
)
@click.option(
    "--accept",
    is_flag=True,
    help="Asks for a reason to keep each undeclared thing, and writes it to accepted.yml.",
)
@click.option("--explain", metavar="THING", help="Why a path, an account or a unit is accepted.")
@click.option("--owner", help="With --accept: who answers for what is accepted.")
@click.option("--because", help="With --accept: the reason for all of it, instead of asking.")
def drift(
    environments: tuple[str, ...],
    as_json: bool,
    full: bool,
    history: Path,
    accept: bool,
    owner: str | None,
    because: str | None,
    explain: str | None,
) -> int:
    """Compares servers with the files: what differs, how bad it is, and since when.

    Without ENVIRONMENTS, all whose servers are no throwaways.
    """
    if accept != bool(owner) or (because and not accept):
        raise click.ClickException("--accept needs --owner NAME, and they need --accept")
    inventories = inventories_of(environments)
    at = datetime.now(UTC).replace(microsecond=0)
    asked = {"explain": explain} if explain else {}
    asked |= {"full": "true"} if full or at.weekday() == SUNDAY else {}
    with checks(inventories, data=asked) as wait:
        # Imported while the checks run: pyinfra's import takes half as long as a check.
        with uninterrupted():
            from stagecraft.drift.judging.waivers import read_waivers
            from stagecraft.drift.telling.history import conclude
            from stagecraft.drift.telling.text import shown

        waivers = read_waivers(here(), at.date())
        reports = wait()
    if explain:
        return explained(explain, reports)
    verdict = conclude(reports, waivers, history, at)
    if accept and owner:
        return accepted(verdict, because, owner)
    # https://no-color.org
    colourful = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    said = verdict.model_dump_json(by_alias=True, indent=2) + "\n" if as_json else shown(verdict)
    click.echo(said, nl=False, color=colourful)
    for problem in verdict.problems:
        click.echo(f"Error: {problem}", err=True)
    return verdict.exit_code


def inventories_of(environments: Sequence[str]) -> list[Path]:
    """Raises ClickException if there are none, or one is missing."""
    inventories = [inventory(name) for name in environments or lasting(here())]
    if not inventories:
        raise click.ClickException("there is no environment to check: name one, or add its files")
    for missing in (path for path in inventories if not path.is_file()):
        raise click.ClickException(
            f"there is no {missing}: create it like the inventories beside it"
        )
    return inventories


def accepted(verdict: Verdict, reason: str | None, owner: str) -> int:
    """What is left after somebody has answered for the rest; the exit code says whether any is."""
    from stagecraft.drift.accepting import accept, all_with, asked
    from stagecraft.drift.judging.verdict import CLEAN, DRIFT, UNKNOWN
    from stagecraft.drift.judging.waivers import ACCEPTED

    open_ = [finding for finding in verdict.findings if not finding.waived]
    left = accept(open_, here(), all_with(reason, owner) if reason else asked(owner))
    if len(left) < len(open_):
        click.echo(f"{len(open_) - len(left)} accepted: review {ACCEPTED}, and commit it")
    for finding in left:
        click.echo(f"left: {finding.id}")
    if verdict.unknown:
        return UNKNOWN
    return DRIFT if left else CLEAN


def explained(thing: str, reports: Sequence[Report]) -> int:
    """0 unless a server could not be asked."""
    unasked = False
    for report in reports:
        place = f"{report.server} ({report.environment})" if report.server else ""
        for line in report.explanations:
            click.echo(f"{place}: {thing}: {line}")
        for gap in () if report.explanations else report.unchecked:
            unasked = True
            click.echo(f"Error: {gap.server or place} could not be asked: {gap.reason}", err=True)
    return int(unasked)
