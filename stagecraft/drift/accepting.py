"""`stagecraft drift --accept`: undeclared things that somebody answers for go to accepted.yml."""

from collections.abc import Callable, Iterable
from pathlib import Path

import click
import yaml

from stagecraft.drift.findings import Class
from stagecraft.drift.judging.verdict import Judged
from stagecraft.drift.judging.waivers import ACCEPTED, fingerprint
from stagecraft.drift.telling.text import of_finding
from stagecraft.local_files import write_whole

HEADER = """\
# What is on the servers although nobody declared it, and who answers for it. Entries are added by
# `stagecraft drift --accept`; a thing that changes after that is reported again.
"""

Answer = Callable[[Judged], tuple[str, str] | None]
"""The reason and the owner of an accepted finding; None leaves it."""


def accept(findings: Iterable[Judged], root: Path, answer: Answer) -> list[Judged]:
    """Ensures an entry of each undeclared thing that `answer` accepts, and returns the findings
    that are left. Writes after each answer, so that Ctrl-C loses none."""
    path, left = root / ACCEPTED, list[Judged]()
    for finding in (finding for finding in findings if not finding.waived):
        given = answer(finding) if finding.class_ == Class.UNMANAGED else None
        if given is None:
            left.append(finding)
            continue
        reason, owner = given
        entries = (yaml.safe_load(path.read_text()) if path.exists() else None) or {}
        entries[finding.id] = {"reason": reason, "owner": owner, "found": fingerprint(finding)}
        text = yaml.safe_dump(entries, sort_keys=True, allow_unicode=True, width=100)
        write_whole(path, HEADER + text)
    return left


def all_with(reason: str, owner: str) -> Answer:
    return lambda finding: (reason, owner)


def asked(owner: str) -> Answer:
    """Asks for the reason of each on the terminal."""

    def ask(finding: Judged) -> tuple[str, str] | None:
        click.echo("\n".join(of_finding(finding)))
        reason = click.prompt("    reason to accept it (empty leaves it)", default="", err=True)
        return (reason, owner) if reason else None

    return ask
