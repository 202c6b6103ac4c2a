"""What people are shown of a change: text by its lines, secrets by their names."""

from __future__ import annotations

from os import mkfifo
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from stagecraft.facts.files import LONGEST, ContentsFact, Entry, FingerprintsFact
from stagecraft.operations import diff
from stagecraft.operations.diff import describe, lines_by_key, sum_of
from stagecraft.operations.nodes import Absent, Directory, File, Link, Node

STANDS = Entry("file", "644", "root", "root")


def run(asked: bool = True, executing: bool = False, planned: bool = True) -> SimpleNamespace:
    config = SimpleNamespace(DIFF=asked)
    return SimpleNamespace(config=config, is_executing=executing, check_for_changes=planned)


def fingerprints(text: str) -> dict[str, str]:
    """As the fact of this name computes them on the server."""
    return {key: sum_of(line) for key, line in lines_by_key(text).items()}


def shown(node: Node, entry: Entry | None, text: str = "", **keys: str) -> list[str]:
    secret = isinstance(node, File) and node.secret
    return list(describe(node, entry, {node.path: keys if secret else text}))


@pytest.mark.parametrize(
    ("asked", "executing", "planned", "told"),
    [
        (True, False, True, "    [a] create /d (root:root 755)\n"),
        (True, True, True, ""),
        (True, True, False, "    [a] create /d (root:root 755)\n"),
        (False, True, False, ""),
    ],
)
def test_a_change_is_shown_once_if_at_all(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    asked: bool,
    executing: bool,
    planned: bool,
    told: str,
) -> None:
    monkeypatch.setattr(diff, "state", run(asked, executing, planned))
    monkeypatch.setattr(diff, "host", SimpleNamespace(print_prefix="[a] "))
    diff.show([Directory("/d")], {}, "root")
    assert capsys.readouterr().err == told


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
    assert lines[1:] == [" APP_KEY differs (secret)", "-GONE (not shown)", "+NEW (secret)"]
    assert "hunter" not in "".join(lines)


def test_what_is_no_secret_of_it_is_shown_as_it_is_declared() -> None:
    text = "APP_KEY=hunter2\nFLAG=true\nSAME=1\nNEW=1\n"
    node = File("/srv/.env", text, secret=True, public=frozenset({"FLAG", "SAME", "NEW"}))
    present = fingerprints("APP_KEY=hunter1\nFLAG=hunter3\nSAME=1\n")
    lines = shown(node, STANDS, "", **present)
    assert lines[1:] == [" APP_KEY differs (secret)", "-FLAG (not shown)", "+FLAG=true", "+NEW=1"]


def test_the_server_s_sums_are_ours(tmp_path: Path, read_here: Any) -> None:
    text = (
        '# comment\n\nPLAIN=1\nQUOTED="a b=c \\\\ $x"\nqa:$2b$06$x\npassword = "p w"\nuser x on\n'
    )
    path = tmp_path / "a file"
    path.write_text(text)
    assert read_here(FingerprintsFact, paths=[str(path)]) == {str(path): fingerprints(text)}
    assert set(fingerprints(text)) == {"PLAIN", "QUOTED", "qa", "password", "user"}


def test_a_line_that_may_be_a_secret_itself_has_no_name(tmp_path: Path, read_here: Any) -> None:
    """As in a key in quotes that somebody has put into a .env."""
    text = "KEY=-----BEGIN\nMIIEvgIBADANBgkqhkiG9w0BAQEFAASC\nq+/x=\n"
    path = tmp_path / "env"
    path.write_text(text)
    present = read_here(FingerprintsFact, paths=[str(path)])[str(path)]
    assert present == fingerprints(text)
    lines = shown(File(str(path), "KEY=1\n", secret=True), STANDS, "", **present)
    assert lines[1:] == ["-a line without a name (not shown)", " KEY differs (secret)"]


@pytest.mark.parametrize("fact", [ContentsFact, FingerprintsFact])
def test_no_link_is_followed(fact: Any, tmp_path: Path, read_here: Any) -> None:
    secret = tmp_path / "secrets/env"
    secret.parent.mkdir()
    secret.write_text("APP_KEY=hunter2\n")
    (tmp_path / "linked").symlink_to(secret)
    (tmp_path / "above").symlink_to(secret.parent)
    mkfifo(tmp_path / "pipe")
    asked = [f"{tmp_path}/{name}" for name in ("linked", "above/env", "pipe", "secrets", "none")]
    assert read_here(fact, paths=asked) == {}
    assert list(read_here(fact, paths=[*asked, str(secret)])) == [str(secret)]


def test_what_nobody_would_read_is_not_read(tmp_path: Path, read_here: Any) -> None:
    path = tmp_path / "long"
    path.write_text("x" * (LONGEST + 1))
    assert read_here(ContentsFact, paths=[str(path)]) == {}
    [_, said] = describe(File(str(path), "new\n"), STANDS, {})
    assert said == " the present file is not shown: it is too long, or its path contains a link"


def test_what_stands_there_instead_is_said() -> None:
    link = Entry("link", "777", "root", "root", target="/srv/.env")
    lines = list(describe(File("/etc/a", "new\n"), link, {}))
    assert lines == [
        "change /etc/a (root:root 777) to (root:root 644)",
        " the present link is not shown",
    ]


def test_no_text_of_a_server_s_steers_the_terminal(tmp_path: Path, read_here: Any) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"== /etc/b\n\x1b]0;owned\x07\xff\0\r\n" + b"long " * 200 + b"\n")
    texts = read_here(ContentsFact, paths=[str(path)])
    lines = list(describe(File(str(path), "new\n"), STANDS, texts))
    assert "-== /etc/b" in lines
    assert r"-\x1b]0;owned\x07\xff\x00" in lines
    assert [line for line in lines if line.endswith("more characters")]
    assert all(line.isprintable() for line in lines)


def test_no_secret_file_is_read_for_its_text(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[tuple[Any, Any]] = []

    def get_fact(fact: Any, **arguments: Any) -> Any:
        asked.append((fact, arguments["paths"]))
        return {path: {} if fact is FingerprintsFact else "" for path in arguments["paths"]}

    monkeypatch.setattr(diff, "host", SimpleNamespace(get_fact=get_fact, print_prefix="[s] "))
    monkeypatch.setattr(diff, "state", run())
    nodes: list[Node] = [File("/etc/a", "new\n"), File("/srv/.env", "K=hunter2\n", secret=True)]
    diff.show(nodes, {"/etc/a": STANDS, "/srv/.env": STANDS}, "root")
    assert asked == [(ContentsFact, ["/etc/a"]), (FingerprintsFact, ["/srv/.env"])]
    printed = capsys.readouterr()
    assert "hunter2" not in printed.out + printed.err
    assert "[s] +K (secret)" in printed.err
