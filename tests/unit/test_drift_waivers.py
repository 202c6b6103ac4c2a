"""waivers.yml: what it says, what it covers, and when it is itself a finding."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from stagecraft.drift.findings import Finding, Report, Unchecked
from stagecraft.drift.judging.changes import NOTHING, Scope
from stagecraft.drift.judging.verdict import judge
from stagecraft.drift.judging.waivers import Waivers, read_waivers
from stagecraft.settings import SettingsError

TODAY = date(2026, 11, 21)
AT = datetime(2026, 11, 21, 3, 30, tzinfo=UTC)
HTOP = "askpro-1 unmanaged package htop"


def finding(thing: str = "htop", environment: str = "", server: str = "askpro-1") -> Finding:
    values = {
        "class": "unmanaged",
        "severity": "low",
        "kind": "package",
        "thing": thing,
        "server": server,
        "environment": environment,
        "expected": "",
        "found": "",
        "remedy": "",
    }
    return Finding.model_validate(values)


def waivers(directory: Path, text: str) -> Waivers:
    (directory / "waivers.yml").write_text(text)
    return read_waivers(directory, TODAY)


def waiver(id: str = HTOP, until: str = "2026-12-31") -> str:
    return f"{id}:\n  reason: Anna debugs memory\n  owner: anna\n  until: {until}\n"


def complaints(waivers: Waivers, *reports: Report) -> list[tuple[str, str]]:
    found = [finding for report in reports for finding in report.findings]
    return [(told.kind, told.thing) for told in waivers.findings(found, Scope.of(reports))]


PRODUCTION = {"server": "askpro-1", "environment": "production"}
CLEAN = Report.model_validate(PRODUCTION)
DIRTY = Report.model_validate(PRODUCTION | {"findings": [finding()]})


def test_without_a_file_nothing_is_waived(tmp_path: Path) -> None:
    assert read_waivers(tmp_path, TODAY).all == ()


def test_the_id_as_the_report_prints_it_covers_that_finding_alone(tmp_path: Path) -> None:
    read = waivers(tmp_path, waiver())
    covered = read.of(finding())
    assert covered and covered.owner == "anna"
    others = [finding("htop2"), finding("htop", "production"), finding("htop", server="askpro-2")]
    assert [read.of(other) for other in others] == [None] * 3


@pytest.mark.parametrize("thing", ["[::]:9100", "evil@%", "/etc/cron.d/a b", "x?", "'; DROP"])
def test_every_id_covers_itself(tmp_path: Path, thing: str) -> None:
    found = finding(thing)
    assert waivers(tmp_path, waiver(f'"{found.id}"')).of(found)


def test_a_star_stands_for_anything_and_nothing_else_is_special(tmp_path: Path) -> None:
    read = waivers(tmp_path, waiver('"askpro-1 unmanaged package ht*"'))
    assert read.of(finding()) and read.of(finding("htpasswd"))
    assert not waivers(tmp_path, waiver('"askpro-1 unmanaged package hto[p]"')).of(finding())


def test_it_holds_through_its_last_day(tmp_path: Path) -> None:
    assert waivers(tmp_path, waiver(until="2026-11-21")).of(finding())
    assert not waivers(tmp_path, waiver(until="2026-11-20")).of(finding())


def test_an_expired_one_is_a_finding_and_waives_nothing(tmp_path: Path) -> None:
    read = waivers(tmp_path, waiver(until="2026-11-20"))
    assert complaints(read, DIRTY) == [("expired", HTOP)]
    assert complaints(read) == [("expired", HTOP)]


def test_an_unused_one_is_a_finding_where_its_place_was_looked_at(tmp_path: Path) -> None:
    read = waivers(tmp_path, waiver())
    assert complaints(read, CLEAN) == [("unused", HTOP)]
    assert complaints(read, DIRTY) == []
    gap = Unchecked(server="askpro-1", area="packages", reason="")
    blind = CLEAN.model_copy(update={"unchecked": [gap]})
    assert complaints(read, blind) == []
    assert complaints(read, Report(server="askpro-2", environment="qa")) == []
    assert complaints(waivers(tmp_path, waiver('"* unmanaged *"')), CLEAN) == []
    staging = waivers(tmp_path, waiver("askpro-1/staging managed file x"))
    assert complaints(staging, CLEAN) == []


def test_a_complaint_about_a_waiver_is_not_waived(tmp_path: Path) -> None:
    text = waiver(until="2026-11-20") + waiver('"askpro-1 *"')
    verdict, _ = judge([DIRTY], waivers(tmp_path, text), NOTHING, AT)
    assert verdict.exit_code == 2
    assert [told.kind for told in verdict.findings if not told.waived] == ["expired"]


def test_what_is_waived_is_no_drift_until_the_waiver_ends(tmp_path: Path) -> None:
    verdict, night = judge([DIRTY], waivers(tmp_path, waiver()), NOTHING, AT)
    assert verdict.exit_code == 0
    ended = waivers(tmp_path, "")
    verdict, _ = judge([DIRTY], ended, night, AT)
    assert verdict.exit_code == 2
    assert [told.status for told in verdict.findings] == ["new"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (f"{HTOP}:\n  reason: x\n  owner: a\n", [":1:", "until", "is missing"]),
        (f"{HTOP}:\n  reson: x\n", [":2:", "did you mean 'reason'?"]),
        (waiver(until="soon"), [":4:", "'soon' must be a date like 2026-12-31"]),
        (waiver(until="2026-13-01"), [":4:", "must be a date"]),
        (waiver(until="2027-11-23"), [":4:", "at most a year ahead", "2027-11-22"]),
        (waiver() + waiver(), [":5:", "is defined twice"]),
        (f"{HTOP}:\n", [":1:", "must hold keys and values"]),
        (f"{HTOP}:\n  reason: ''\n  owner: a\n  until: 2026-12-31\n", [":2:", "reason"]),
        ("- id: x\n", ["must hold keys and values"]),
        ("askpro-1: unmanaged: x\n", ["this cannot be read"]),
    ],
)
def test_what_is_wrong_is_named_with_its_line(tmp_path: Path, text: str, words: list[str]) -> None:
    with pytest.raises(SettingsError) as error:
        waivers(tmp_path, text)
    for word in ["waivers.yml:", *words]:
        assert word in str(error.value)
