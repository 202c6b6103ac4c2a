"""drift.py's command line."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

import click

from stagecraft.drift.checks import Checks
from stagecraft.drift.progress import Progress

HISTORY = Path(".stagecraft/drift.jsonl")
WAIVERS = Path("waivers.yml")
INTERRUPTED = 130

EPILOG = """\b
Exit code:
  0  clean: the servers are what the files say, but for what waivers.yml waives
  1  not everything could be checked; what was found is shown all the same
  2  drift: something differs

Nothing is changed on any server. docs/drift.md says the rest.
"""


def main() -> NoReturn:
    """Ends the process. A wrong command line is a check that did not take place: 1, not click's 2,
    which is drift."""
    try:
        drift(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(1)
    sys.exit(0)  # --help


@click.command("drift.py", epilog=EPILOG)
@click.argument("inventories", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of text.")
@click.option(
    "--history",
    type=click.Path(path_type=Path, dir_okay=False),
    default=HISTORY,
    show_default=True,
    help="Where the checks before this one are remembered.",
)
def drift(inventories: tuple[Path, ...], as_json: bool, history: Path) -> NoReturn:
    """Compares servers with the files, side by side, and says what differs, how bad it is and
    since when: drift.py inventories/production.py inventories/staging.py"""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        sys.exit(check(inventories, as_json, history))
    except KeyboardInterrupt:
        click.echo("\nInterrupted: nothing is known of this check.", err=True)
        sys.exit(INTERRUPTED)


def check(inventories: Sequence[Path], as_json: bool, history: Path) -> int:
    refuse_missing(inventories)
    at = datetime.now(UTC).replace(microsecond=0)
    with Progress() as progress, Checks(inventories) as checks:
        # Imported meanwhile: they bring pyinfra with them, which takes half as long as a check.
        from stagecraft.drift.conclusion import conclude
        from stagecraft.drift.text import shown
        from stagecraft.drift.waivers import read_waivers
        from stagecraft.sources import SettingsError

        try:
            waivers = read_waivers(WAIVERS, at.date())
        except SettingsError as error:
            raise click.ClickException(str(error)) from None
        reports = checks.wait(progress.show)
    verdict = conclude(reports, waivers, history, at)
    if as_json:
        click.echo(verdict.model_dump_json(by_alias=True, indent=2))
    else:
        click.echo(shown(verdict), nl=False, color=colourful())
    for problem in verdict.problems:
        click.echo(f"drift.py: {problem}", err=True)
    return verdict.exit_code


def colourful() -> bool:
    """https://no-color.org"""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR")


def refuse_missing(inventories: Sequence[Path]) -> None:
    for inventory in inventories:
        if not inventory.is_file():
            known = ", ".join(sorted(str(path) for path in Path("inventories").glob("*.py")))
            raise click.ClickException(f"there is no inventory {inventory}; there are: {known}")
