"""The list of releases: what is marked, and that no text in it is taken for anything else."""

from __future__ import annotations

import html
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import markdown
import pytest
from markdown_it import MarkdownIt

from stagecraft.on_server import journal, listing
from stagecraft.on_server import site as sites
from stagecraft.on_server.actions import Action, Request
from stagecraft.on_server.log import Log
from stagecraft.on_server.releases import BAD, GOOD, Release, Releases
from stagecraft.on_server.site import Site


def entry(id: str = "1", **values: Any) -> dict[str, Any]:
    return {
        "id": id,
        "verb": "release",
        "by": "Anna <anna@askpro.test>",
        "login": "deploy SHA256:v2sbLY+dgsx+9KcwOQAtaLuzeovXhhGg4CXk2/oyazg",
        "at": "2026-11-30T17:14:05Z",
        "commit": "0123456789abcdef0123456789abcdef01234567",
        "ref": "feature/portal",
        "release": "1",
        "seconds": {"unpack": 1.25, "build": 3.0},
        "outcome": "done",
        "problem": "",
        "notes": [],
        "downtime": 0.0,
        **values,
    }


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    monkeypatch.setattr(sites, "STATE", tmp_path / "state")
    monkeypatch.setattr(sites, "LOGS", tmp_path / "logs")
    (tmp_path / "releases").mkdir()
    shop = Site.__new__(Site)
    object.__setattr__(shop, "name", "shop-staging")
    object.__setattr__(shop, "home", tmp_path)
    return shop


def test_what_the_running_release_is_due_to_is_current(shop: Site) -> None:
    release = Release("1", "a", "main", "anna", "2026-11-30T17:14:05Z", GOOD)
    for each in (release, replace(release, id="2"), replace(release, id="3", state=BAD)):
        Releases(shop).record(each)
    (shop.home / "current").symlink_to("releases/placeholder")
    Releases(shop).switch("1")
    done = [entry("a", release="1"), entry("b", release="2")]
    back = entry("c", release="1", verb="rollback")
    after = [
        entry("d", release="3", outcome="failed"),
        entry("e", release="1", outcome="done", verb="configure"),
    ]
    for each in (*done, back, *after):
        journal.append(shop, each)
    listed = listing.entries(shop)
    assert [(e["id"], e["current"], e["state"]) for e in listed] == [
        ("a", False, GOOD),
        ("b", False, GOOD),
        ("c", True, GOOD),
        ("d", False, BAD),
        ("e", False, GOOD),
    ]
    assert [e["id"] for e in listing.entries(shop, 2)] == ["d", "e"]
    Releases(shop).switch("by-hand")
    assert not any(e["current"] for e in listing.entries(shop))


def test_a_list_for_people() -> None:
    shown = listing.as_table([entry(current=True), entry(problem="x" * 1000, outcome="failed")])
    heading, current, failed = shown.splitlines()
    assert heading.split() == [word for words in listing.HEADINGS for word in words.split()]
    assert current == (
        "*  2026-11-30 17:14:05  release  0123456  feature/portal  Anna <anna@askpro.test>"
        "  deploy SHA256:v2sbLY+d  4.2      done"
    )
    assert failed.endswith(f"failed   {'x' * 59}…")
    assert failed.index("failed") == heading.index("outcome")


def test_without_an_entry_there_is_the_heading() -> None:
    assert listing.as_table([]).split()[0] == "when"
    assert len(listing.as_markdown([]).splitlines()) == 2


def test_why_something_unproven_was_released_is_shown() -> None:
    shown = listing.as_table([entry(unproven="staging burns", problem="boot: 503")])
    assert shown.endswith("boot: 503; unproven: staging burns")


def test_nobody_adds_a_column() -> None:
    """To look as if somebody else had logged in."""
    shown = listing.as_table([entry(by="Anna  deploy SHA256:ours")])
    row = re.split("  +", shown.splitlines()[1].strip())
    assert row[4:6] == ["Anna deploy SHA256:ours", "deploy SHA256:v2sbLY+d"]


EVIL = (
    "a|b",
    "a\\|b",
    "`a|b`",
    "``|",
    "a\nb\r\n| c |",
    "<script>alert(1)</script>",
    "<!-- ",
    "[a](javascript:b)",
    "![a](https://evil.test/p.png)",
    "*a* _b_ ~~c~~ $d$ @anna #1",
    "&lt;b&gt; &#124;",
    "\x1b]0;x\x07\u202e",
    "\\",
)


def by_markdown_it(text: str) -> str:
    return str(MarkdownIt("gfm-like", {"linkify": False}).render(text))


def by_python_markdown(text: str) -> str:
    return markdown.markdown(text, extensions=["tables"])


@pytest.mark.parametrize("text", EVIL)
@pytest.mark.parametrize("render", [by_markdown_it, by_python_markdown])
def test_nothing_in_a_markdown_table_is_markup(render: Any, text: str) -> None:
    rendered = render(listing.as_markdown([entry(ref=text, by=text, problem=text)]))
    cells = re.findall("<td>(.*?)</td>", rendered, re.DOTALL)
    plain = listing.harmless(text).strip()
    assert len(cells) == len(listing.HEADINGS)
    assert [html.unescape(cells[n]) for n in (4, 5, 9)] == [plain] * 3


def test_a_markdown_table_mentions_nobody() -> None:
    shown = listing.as_markdown([entry(ref="@anna $a$", problem="<b>")])
    assert not re.search("[@$<]", shown)


@pytest.mark.parametrize("text", EVIL)
@pytest.mark.parametrize("show", [listing.as_table, listing.as_json, listing.as_markdown])
def test_a_terminal_obeys_nothing_of_it(show: Any, text: str) -> None:
    shown = show([entry(ref=text, outcome=text, at=text, commit=text, login=text)])
    assert all(character.isprintable() or character == "\n" for character in shown)


@pytest.mark.parametrize(
    "values",
    [
        {"seconds": {"a": 1e999, "b": None, "c": "x"}},
        {"seconds": 5},
        {"seconds": {"a": 10**400}},
        {"at": None, "ref": 5, "by": True, "current": "yes"},
    ],
)
def test_what_a_server_answers_may_be_of_any_type(values: dict[str, Any]) -> None:
    (row,) = listing.parsed(json.dumps([entry(**values)]).encode())
    for show in (listing.as_table, listing.as_json, listing.as_markdown):
        assert not show([row]).startswith("*")


def test_what_an_action_records_is_a_list_here(shop: Site) -> None:
    """With all that the journal has of it."""
    release = Release("1", "a" * 40, "main", "anna", "2026-11-30T17:14:05Z")
    action = Action(shop, Request("1", "release", "anna", "root", release.at, release), Log())
    action.notes.append("after_finish: the hook failed")
    (shop.home / "current").symlink_to("releases/1")
    action.end("done", "")
    listed = listing.entries(shop)
    assert listing.parsed(listing.as_json(listed).encode()) == listed


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"{}",
        b"[1]",
        b"\xff",
        b"[" * 100_000,
        b'[{"ref": [["a"]]}]',
        b'[{"seconds": {"a": {}}}]',
        b'[{"notes": [{}]}]',
        b'[{"ref": ' + b'{"a":' * 50_000,
    ],
)
def test_what_is_no_list_is_refused(answer: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        listing.parsed(answer)
