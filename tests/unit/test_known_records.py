"""Which records of a server's the project vouches for."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from stagecraft.facts.as_found import UNREAD, AsFound
from stagecraft.known_records import KnownRecords, digest, known_records
from stagecraft.operations.as_found import noted, unfinished
from stagecraft.settings import Server, SettingsError


def of(server: str, directory: Path) -> KnownRecords:
    return KnownRecords(directory / "known_records", server)


def test_what_is_noted_is_known_of_that_server_alone(tmp_path: Path) -> None:
    of("askpro-1", tmp_path).note("as-found", "a")
    of("askpro-2", tmp_path).note("as-found", "b")
    assert of("askpro-1", tmp_path).sum("as-found") == digest("a")
    assert of("askpro-2", tmp_path).sum("as-found") == digest("b")
    assert of("askpro-1", tmp_path).sum("qa") == ""


def test_a_record_has_one_sum(tmp_path: Path) -> None:
    for text in ("a", "b"):
        of("askpro-1", tmp_path).note("as-found", text)
    assert of("askpro-1", tmp_path).sum("as-found") == digest("b")
    assert len((tmp_path / "known_records").read_text().splitlines()) == 1


def test_what_people_write_beside_it_stays(tmp_path: Path) -> None:
    line = of("askpro-1", tmp_path).line("qa", "a")
    text = f"# the shop's team\n\naskpro-1 qa\n{line}\n"
    (tmp_path / "known_records").write_text(text)
    assert of("askpro-1", tmp_path).sum("qa") == digest("a")
    of("askpro-1", tmp_path).note("as-found", "a")
    assert (tmp_path / "known_records").read_text().startswith(text)


def test_without_the_file_nothing_is_known(tmp_path: Path) -> None:
    assert of("askpro-1", tmp_path).sum("as-found") == ""


def test_a_file_that_cannot_be_read_is_no_empty_one(tmp_path: Path) -> None:
    (tmp_path / "known_records").write_bytes(b"\xff")
    with pytest.raises(SettingsError, match=r"known_records: .* is not a text file: byte 0"):
        of("askpro-1", tmp_path).sum("as-found")


def test_a_throwaway_s_are_as_short_lived_as_it_is(tmp_path: Path) -> None:
    lasting = Server(name="a", address="203.0.113.10")
    passing = Server(name="b", address="203.0.113.11", throwaway=True)
    assert known_records(lasting, tmp_path).path == tmp_path / "known_records"
    assert known_records(passing, tmp_path).path == tmp_path / ".stagecraft/known_records"


@pytest.mark.parametrize("throwaway", [False, True])
def test_nobody_is_asked_to_commit_a_throwaway_s(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, throwaway: bool
) -> None:
    server = Server(name="a", address="203.0.113.10", throwaway=throwaway)
    with caplog.at_level("INFO"):
        noted(None, SimpleNamespace(print_prefix=""), known_records(server, tmp_path), "text")
    assert ("commit known_records" in caplog.text) is not throwaway
    assert known_records(server, tmp_path).sum("as-found") == digest("text")


def test_a_first_contact_ends_with_the_record_that_it_began(tmp_path: Path) -> None:
    known, begun = of("askpro-1", tmp_path), AsFound(things=frozenset({UNREAD}))
    assert unfinished(None, known)
    assert unfinished(begun, known)  # killed before it noted the sum
    known.note("as-found", begun.text)
    assert unfinished(begun, known)
    assert not unfinished(AsFound(), known)  # an older version's
    known.note("as-found", AsFound().text)
    assert not unfinished(begun, known)  # somebody on the server opened it again
