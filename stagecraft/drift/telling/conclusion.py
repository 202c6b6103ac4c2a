"""From the reports of tonight's checks to a verdict: compared with the nights before, waived where
somebody answers for it, remembered, and told to those who are to know."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from stagecraft.drift.findings import Report
from stagecraft.drift.judging.history import History, history, news
from stagecraft.drift.judging.verdict import Verdict, judge
from stagecraft.drift.judging.waivers import Waivers
from stagecraft.drift.telling.notify import tell


def conclude(reports: Sequence[Report], waivers: Waivers, path: Path, at: datetime) -> Verdict:
    """The verdict, remembered in the history at `path` and told; what of that failed stands in its
    `problems`."""
    try:
        with history(path) as nights:
            return remembered(nights, reports, waivers, at)
    except OSError as error:
        verdict, night = judge(reports, waivers, None, at)
        return troubled(
            verdict, [f"without a history all is new: {error}", *tell(news(None, night))]
        )


def remembered(
    nights: History, reports: Sequence[Report], waivers: Waivers, at: datetime
) -> Verdict:
    verdict, night = judge(reports, waivers, nights.last(), at)
    problems = tell(news(nights.last_told(), night))
    try:
        nights.append(night.model_copy(update={"told": not problems}))
    except OSError as error:
        problems = [*problems, f"this check will not be remembered: {error}"]
    return troubled(verdict, problems)


def troubled(verdict: Verdict, problems: Sequence[str]) -> Verdict:
    return verdict.model_copy(update={"problems": tuple(problems)})
