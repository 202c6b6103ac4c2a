"""From the reports of checks to a verdict: compared with the previous check, waived, saved, and
sent as notifications."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from stagecraft.drift.findings import Report
from stagecraft.drift.judging.changes import NOTHING, changes
from stagecraft.drift.judging.verdict import Verdict, judge
from stagecraft.drift.judging.waivers import Waivers
from stagecraft.drift.telling.history import History, history
from stagecraft.drift.telling.notify import tell


def conclude(reports: Sequence[Report], waivers: Waivers, path: Path, at: datetime) -> Verdict:
    """The verdict, saved in the history at `path` and sent; failures of that are in its
    `problems`."""
    try:
        with history(path) as past:
            verdict, problems = remembered(past, reports, waivers, at)
    except OSError as error:
        verdict, snapshot = judge(reports, waivers, NOTHING, at)
        without = f"every finding counts as new without a history: {error}"
        problems = [without, *tell(changes(NOTHING, snapshot))]
    return verdict.model_copy(update={"problems": tuple(problems)})


def remembered(
    past: History, reports: Sequence[Report], waivers: Waivers, at: datetime
) -> tuple[Verdict, list[str]]:
    verdict, snapshot = judge(reports, waivers, past.last() or NOTHING, at)
    problems = tell(changes(past.last_told() or NOTHING, snapshot))
    try:
        past.append(snapshot.model_copy(update={"told": not problems}))
    except OSError as error:
        problems.append(f"this check will not be remembered: {error}")
    return verdict, problems
