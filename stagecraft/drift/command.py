"""drift.py's command line."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

import click

from stagecraft.drift.findings import Report, Unchecked
from stagecraft.inventory import CHECK


@click.command()
@click.argument(
    "inventories", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path)
)
def main(inventories: tuple[Path, ...]) -> None:
    """Compares servers with the files, and says what differs."""
    with ThreadPoolExecutor() as pool:
        reports = list(pool.map(check, inventories))
    for report in reports:
        for finding in report.findings:
            click.echo(f"{finding.severity} {finding.id}: {finding.found}")
        for unchecked in report.unchecked:
            click.echo(f"unknown {unchecked.server} {unchecked.area}: {unchecked.reason}")
    if any(report.unchecked for report in reports):
        sys.exit(1)
    sys.exit(2 if any(report.findings for report in reports) else 0)


def check(inventory: Path) -> Report:
    """What the check of one inventory found; everything is unchecked when it could not start."""
    with TemporaryDirectory() as directory:
        report = Path(directory) / "report.json"
        pyinfra = str(Path(sys.executable).with_name("pyinfra"))
        command = [pyinfra, "--dry", "--data", f"report={report}", str(inventory), str(CHECK)]
        ended = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
        if report.is_file():
            return Report.model_validate_json(report.read_text())
        reason = "\n".join((ended.stdout + ended.stderr).strip().splitlines()[-5:])
        return Report(
            unchecked=[Unchecked(server=inventory.stem, area="everything", reason=reason)]
        )
