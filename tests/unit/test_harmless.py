"""What a server says, as people see it: nothing that a terminal obeys is left of it."""

from __future__ import annotations

import logging

import click
import pytest

from stagecraft.harmless import LONGEST_LINE, MOST_LINES, Harmless, bounded, coloured, harmless


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Größe, 名前", "Größe, 名前"),
        ("\x1b]0;owned\x07", r"\x1b]0;owned\x07"),
        ("a\r\nb\t", r"a\r\nb\t"),
        ("\u202ecod.exe\u200b", r"\u202ecod.exe\u200b"),
        ("\udcff\ud800", r"\xff\ud800"),
        ("\x9b2J", r"\x9b2J"),
        ("main\u3164\u2800done", r"main\u3164\u2800done"),
    ],
)
def test_what_a_terminal_would_obey_is_spelled(text: str, shown: str) -> None:
    assert harmless(text) == shown


def test_pyinfra_s_colours_stay_and_no_other_sequence() -> None:
    red = click.style("refused", "red", bold=True)
    assert coloured(f"{red}\n\tby sshd") == f"{red}\n\tby sshd"
    assert coloured("\x1b[8mhidden\x1b[2K\x1b[1A\r") == r"\x1b[8mhidden\x1b[2K\x1b[1A\r"


def test_what_is_logged_is_harmless() -> None:
    record = logging.LogRecord("pyinfra", logging.ERROR, "", 0, "%s: %s", ("host", "\x1b[2J"), None)
    assert Harmless().filter(record)
    assert record.getMessage() == r"host: \x1b[2J"


def test_no_more_is_shown_than_a_person_reads() -> None:
    lines = list(bounded(["x" * (LONGEST_LINE + 7), *["y"] * MOST_LINES]))
    assert lines[0] == "x" * LONGEST_LINE + " … and 7 more characters"
    assert lines[MOST_LINES:] == ["… and more lines than the 200 that are shown"]
    assert list(bounded(["a", "b"])) == ["a", "b"]
