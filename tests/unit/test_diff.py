"""What people are shown of a change: text by its lines, secrets by their names."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from stagecraft.facts.files import Contents, Entry, Fingerprints
from stagecraft.operations import diff
from stagecraft.operations.diff import describe, fingerprints
from stagecraft.operations.nodes import Absent, Directory, File, Link, Node

STANDS = Entry("file", "644", "root", "root")


def shown(node: Node, entry: Entry | None, text: str = "", **keys: str) -> list[str]:
    return list(describe(node, entry, text, keys))


def test_no_file_shows_its_text_in_its_repr() -> None:
    assert "text" not in repr(File("/etc/a", "text"))


def test_a_changed_file_is_shown_line_by_line() -> None:
    lines = shown(File("/etc/a", "same\nnew\n"), STANDS, "same\nold\n")
    assert lines[0] == "change /etc/a"
    assert {"-old", "+new", " same"} <= set(lines)


def test_a_changed_mode_is_shown_with_the_old_one() -> None:
    lines = shown(File("/etc/a", "x\n", group="www-data", mode="640"), STANDS, "x\n")
    assert lines == ["change /etc/a (root:root 644) to (root:www-data 640)"]


def test_what_is_new_is_shown_as_created() -> None:
    lines = shown(File("/etc/a", "new\n"), None)
    assert lines[0] == "create /etc/a (root:root 644)"
    assert "+new" in lines
    assert shown(Directory("/d", "me", "us", "750"), None) == ["create /d (me:us 750)"]
    assert shown(Link("/l", "a"), None) == ["create /l"]


def test_what_goes_away_is_named() -> None:
    assert shown(Absent("/etc/default"), STANDS) == ["remove /etc/default"]


def test_of_a_secret_file_the_keys_are_named_and_no_value() -> None:
    node = File("/srv/.env", "SAME=1\nAPP_KEY=hunter2\nNEW=hunter3\n", mode="640", secret=True)
    present = fingerprints("SAME=1\nAPP_KEY=hunter1\nGONE=hunter0\n")
    lines = shown(node, STANDS, "", **present)
    assert lines[1:] == [" APP_KEY differs (secret)", "-GONE (secret)", "+NEW (secret)"]
    assert "hunter" not in "".join(lines)


def test_the_server_s_sums_are_ours(tmp_path: Path, read_here: Any) -> None:
    text = (
        '# comment\n\nPLAIN=1\nQUOTED="a b=c \\\\ $x"\nqa:$2b$06$x\npassword = "p w"\nuser x on\n'
    )
    path = tmp_path / "a file"
    path.write_text(text)
    assert read_here(Fingerprints, paths=[str(path)]) == {str(path): fingerprints(text)}
    assert set(fingerprints(text)) == {"PLAIN", "QUOTED", "qa", "password", "user"}


def test_no_secret_file_is_read_for_its_text(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[tuple[Any, Any]] = []

    def get_fact(fact: Any, **arguments: Any) -> Any:
        asked.append((fact, arguments["paths"]))
        return {}

    monkeypatch.setattr(diff, "host", SimpleNamespace(get_fact=get_fact, print_prefix="[s] "))
    nodes: list[Node] = [File("/etc/a", "new\n"), File("/srv/.env", "K=hunter2\n", secret=True)]
    diff.show(nodes, {"/etc/a": STANDS, "/srv/.env": STANDS}, "root")
    assert asked == [(Contents, ["/etc/a"]), (Fingerprints, ["/srv/.env"])]
    printed = capsys.readouterr()
    assert "hunter2" not in printed.out + printed.err
    assert "[s] +K (secret)" in printed.err
