"""What `stagecraft drift --accept` writes, and what it covers."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from stagecraft.drift.accepting import accept, all_with
from stagecraft.drift.findings import Class, Finding, Severity
from stagecraft.drift.judging.verdict import Judged, Status
from stagecraft.drift.judging.waivers import read_waivers
from stagecraft.yaml_files import SettingsError

TODAY = date(2026, 11, 30)


def finding(thing: str, found: str = "a file", class_: Class = Class.UNMANAGED) -> Judged:
    return Judged(
        class_=class_,
        severity=Severity.HIGH,
        kind="program",
        thing=thing,
        server="askpro-1",
        expected="absent",
        found=found,
        remedy="rm",
        status=Status.NEW,
        first_seen=datetime(2026, 11, 30, tzinfo=UTC),
    )


def covered(root: Path, found: Finding) -> bool:
    return read_waivers(root, TODAY).of(found) is not None


def test_what_somebody_answers_for_is_accepted_until_it_changes(tmp_path: Path) -> None:
    tool = finding("/usr/local/bin/tool")
    assert accept([tool], tmp_path, all_with("backups", "anna")) == []
    assert covered(tmp_path, tool)
    assert not covered(tmp_path, finding("/usr/local/bin/tool", "another file"))
    assert not covered(tmp_path, finding("/usr/local/bin/other"))


def test_an_entry_is_replaced_and_others_stay(tmp_path: Path) -> None:
    one, other = finding("/one"), finding("/other")
    accept([one, other], tmp_path, all_with("backups", "anna"))
    changed = finding("/one", "another file")
    accept([changed], tmp_path, all_with("newer backups", "ben"))
    assert [covered(tmp_path, f) for f in (one, other, changed)] == [False, True, True]
    assert "newer backups" in (tmp_path / "accepted.yml").read_text()


def test_what_a_run_would_change_is_never_accepted(tmp_path: Path) -> None:
    differs = finding("/etc/nginx/nginx.conf", class_=Class.MANAGED)
    assert accept([differs], tmp_path, all_with("no", "anna")) == [differs]
    assert not (tmp_path / "accepted.yml").exists()


def test_what_nobody_answers_for_is_left(tmp_path: Path) -> None:
    one, other = finding("/one"), finding("/other")
    left = accept([one, other], tmp_path, lambda f: ("x", "anna") if f.thing == "/one" else None)
    assert left == [other]
    assert [covered(tmp_path, f) for f in (one, other)] == [True, False]


def test_an_entry_for_nothing_is_a_finding(tmp_path: Path) -> None:
    class Everywhere:
        def covers(self, *_: str) -> bool:
            return True

    accept([finding("/one")], tmp_path, all_with("backups", "anna"))
    [unused] = read_waivers(tmp_path, TODAY).findings([], Everywhere())  # type: ignore[arg-type]
    assert unused.thing == "askpro-1 unmanaged program /one"
    assert "accepted.yml" in unused.remedy


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a unmanaged program /x: {reason: x, owner: anna}\n", "found: is missing"),
        ("a unmanaged program /x: {reason: x, owner: anna, found: a, until: 2026-12-31}\n",
         "until: unknown key"),
    ],
)  # fmt: skip
def test_a_wrong_entry_is_named(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "accepted.yml").write_text(text)
    with pytest.raises(SettingsError, match=words):
        read_waivers(tmp_path, TODAY)
