"""What is new, worse or resolved, and what the file of past checks survives."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from stagecraft.drift.findings import Finding, Report, Unchecked
from stagecraft.drift.judging.changes import Snapshot
from stagecraft.drift.judging.verdict import Verdict
from stagecraft.drift.judging.waivers import Waivers
from stagecraft.drift.telling.history import BLOCK, conclude, history

FIRST = datetime(2026, 11, 21, 3, 30, tzinfo=UTC)


def finding(thing: str, severity: str = "high", environment: str = "", **more: str) -> Finding:
    values = {
        "class": "unmanaged",
        "severity": severity,
        "kind": "package",
        "thing": thing,
        "server": "askpro-1",
        "environment": environment,
        "expected": "nothing",
        "found": "something",
        "remedy": "apt-get purge",
    }
    return Finding.model_validate(values | more)


def report(*findings: Finding, environment: str = "production", blind: str = "") -> Report:
    """With an area that could not be looked at, if one is named."""
    unchecked = [Unchecked(server="askpro-1", area=blind, reason="down")] if blind else []
    return Report(
        server="askpro-1", environment=environment, findings=findings, unchecked=unchecked
    )


def unreachable(environment: str = "production") -> Report:
    gap = Unchecked(server="askpro-1", environment=environment, area="everything", reason="away")
    return Report(unchecked=[gap])


Check = Callable[..., Verdict]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state/drift.jsonl"


@pytest.fixture
def check(path: Path) -> Check:
    """One check a night, the next a day later."""
    nights = iter(FIRST + timedelta(days=n) for n in range(1000))

    def once(*reports: Report) -> Verdict:
        at = next(nights)
        return conclude(reports, Waivers((), at.date()), path, at)

    return once


def statuses(verdict: Verdict) -> dict[str, str]:
    return {told.thing: told.status for told in verdict.findings}


def lines(path: Path) -> list[str]:
    return path.read_text().splitlines()


def last(path: Path) -> Snapshot:
    with history(path) as nights:
        return next(nights.recent())


# --- What changes from night to night ---


def test_a_finding_is_new_once_and_keeps_its_first_night(check: Check) -> None:
    assert statuses(check(report(finding("htop")))) == {"htop": "new"}
    second = check(report(finding("htop"), finding("nmap")))
    assert statuses(second) == {"htop": "known", "nmap": "new"}
    assert {told.thing: told.first_seen for told in second.findings} == {
        "htop": FIRST,
        "nmap": FIRST + timedelta(days=1),
    }


def test_worse_is_said_once_and_better_is_not(check: Check) -> None:
    check(report(finding("htop", "low")))
    assert statuses(check(report(finding("htop", "critical")))) == {"htop": "worse"}
    assert statuses(check(report(finding("htop", "critical")))) == {"htop": "known"}
    assert statuses(check(report(finding("htop", "high")))) == {"htop": "known"}


def test_resolved_is_said_once(check: Check) -> None:
    check(report(finding("htop")))
    gone = check(report())
    assert [seen.id for seen in gone.resolved] == ["askpro-1 unmanaged package htop"]
    assert gone.resolved[0].first_seen == FIRST
    assert gone.exit_code == 0
    assert check(report()).resolved == ()


def test_what_comes_back_is_new(check: Check) -> None:
    check(report(finding("htop")))
    check(report())
    [told] = check(report(finding("htop"))).findings
    assert (told.status, told.first_seen) == ("new", FIRST + timedelta(days=2))


# --- What was not looked at ---


@pytest.mark.parametrize("silent", [unreachable(), report(blind="database users")])
def test_an_unknown_server_resolves_nothing(check: Check, silent: Report) -> None:
    check(report(finding("htop", environment="production")))
    verdict = check(silent)
    assert (verdict.exit_code, verdict.resolved) == (1, ())
    [told] = check(report(finding("htop", environment="production"))).findings
    assert (told.status, told.first_seen) == ("known", FIRST)


def test_the_other_environment_s_check_resolves_what_is_the_machine_s_alone(check: Check) -> None:
    check(report(finding("htop"), finding("vhost", environment="production")))
    verdict = check(report(environment="staging"))
    assert [seen.id for seen in verdict.resolved] == ["askpro-1 unmanaged package htop"]
    assert [seen.id for seen in check(report()).resolved] == [
        "askpro-1/production unmanaged package vhost"
    ]


def test_one_silent_environment_does_not_hide_the_machine(check: Check) -> None:
    check(report(finding("htop"), finding("vhost", environment="staging")))
    verdict = check(report(), unreachable("staging"))
    assert [seen.id for seen in verdict.resolved] == ["askpro-1 unmanaged package htop"]


def test_another_server_s_check_says_nothing_of_this_one(check: Check, path: Path) -> None:
    check(report(finding("htop")))
    check(unreachable())
    other = Report(server="askpro-2", environment="qa")
    assert check(other).resolved == ()
    night = last(path)
    assert [seen.id for seen in night.findings] == ["askpro-1 unmanaged package htop"]
    assert [gap.area for gap in night.unknown] == ["everything"]


def test_what_is_unknown_knows_since_when_and_is_known_again(check: Check, path: Path) -> None:
    check(report())
    check(unreachable())
    check(unreachable())
    assert [gap.since for gap in last(path).unknown] == [FIRST + timedelta(days=1)]
    assert check(report()).exit_code == 0
    assert last(path).unknown == ()


# --- The file ---


def test_nothing_of_what_was_found_is_kept(check: Check, path: Path) -> None:
    secret = "s3cret"
    found = finding("htop", found=secret, expected=secret, remedy=secret, who=secret)
    check(report(found), unreachable())
    text = path.read_text()
    assert "htop" in text
    assert "s3cret" not in text and "away" not in text
    assert oct(path.stat().st_mode & 0o777) == "0o600"


@pytest.mark.parametrize("torn", ['{"at":"2026', "\x00\x00\x00", "not json\n", "[]\n", "{}\n"])
def test_a_torn_line_costs_its_own_night_alone(check: Check, path: Path, torn: str) -> None:
    check(report(finding("htop")))
    with path.open("a") as file:
        file.write(torn)
    assert statuses(check(report(finding("htop")))) == {"htop": "known"}
    assert statuses(check(report(finding("htop")))) == {"htop": "known"}


def test_a_line_longer_than_what_is_read_at_once(check: Check) -> None:
    many = [finding(f"package-{n}") for n in range(2000)]
    check(report(*many))
    assert set(statuses(check(report(*many))).values()) == {"known"}


def test_years_of_nights_are_not_read(
    check: Check, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    check(report(finding("htop")))
    path.write_text(path.read_text() * 10_000)
    read: list[int] = []
    pread = os.pread
    monkeypatch.setattr(os, "pread", lambda *given: (read.append(given[1]), pread(*given))[1])
    assert statuses(check(report(finding("htop")))) == {"htop": "known"}
    assert sum(read) <= 2 * BLOCK + 1


def test_what_is_older_than_a_year_is_forgotten(path: Path) -> None:
    def check(day: int) -> Verdict:
        at = FIRST + timedelta(days=day)
        return conclude([report(finding("htop"))], Waivers((), at.date()), path, at)

    for day in (0, 1, 200):
        check(day)
    with path.open("a") as file:
        file.write('{"torn\n')
    whole = path.read_text().splitlines()
    assert check(365).findings[0].first_seen == FIRST
    assert path.read_text().splitlines()[:4] == whole
    [found] = check(366).findings
    assert (found.status, found.first_seen) == ("known", FIRST)
    days = [(Snapshot.model_validate_json(line).at - FIRST).days for line in lines(path)]
    assert days == [1, 200, 365, 366]
    assert oct(path.stat().st_mode & 0o777) == "0o600"
    assert [beside.name for beside in path.parent.iterdir()] == ["drift.jsonl"]


def test_what_cannot_be_forgotten_is_kept(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    conclude([report(finding("htop"))], Waivers((), FIRST.date()), path, FIRST)
    before, later = path.read_text(), FIRST + timedelta(days=400)
    monkeypatch.setattr(os, "fsync", full)
    verdict = conclude([report(finding("htop"))], Waivers((), later.date()), path, later)
    assert "this check will not be remembered" in verdict.problems[0]
    assert path.read_text() == before


def test_a_check_that_waited_remembers_in_the_file_that_took_the_place(path: Path) -> None:
    with ThreadPoolExecutor(1) as pool, history(path):
        waiting = pool.submit(conclude, [report()], Waivers((), FIRST.date()), path, FIRST)
        time.sleep(0.2)
        new = path.with_name("new")
        new.touch()
        new.replace(path)
    waiting.result(timeout=10)
    assert len(lines(path)) == 1


def test_checks_at_once_each_leave_a_whole_line(path: Path) -> None:
    def one(number: int) -> Verdict:
        at = FIRST + timedelta(minutes=number)
        return conclude([report(finding("htop"))], Waivers((), at.date()), path, at)

    with ThreadPoolExecutor(8) as pool:
        verdicts = list(pool.map(one, range(40)))
    assert len([json.loads(line) for line in lines(path)]) == 40
    assert sum(told.status == "new" for verdict in verdicts for told in verdict.findings) == 1


def test_a_history_that_cannot_be_written_hides_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    path = tmp_path / "file/drift.jsonl"
    verdict = conclude([report(finding("htop"))], Waivers((), FIRST.date()), path, FIRST)
    assert (verdict.exit_code, statuses(verdict)) == (2, {"htop": "new"})
    assert "every finding counts as new without a history" in verdict.problems[0]


def test_a_full_disk_hides_nothing() -> None:
    verdict = conclude(
        [report(finding("htop"))], Waivers((), FIRST.date()), Path("/dev/full"), FIRST
    )
    assert verdict.exit_code == 2
    assert "No space left" in verdict.problems[0]
