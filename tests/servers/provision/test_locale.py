"""A server that speaks another language is provisioned and checked like any other."""

from __future__ import annotations

import pytest
from tampering import Guarded


def test_programs_speak_german_to_who_logs_in(guarded_12: Guarded) -> None:
    assert guarded_12.shell("su --login deploy --command 'stat -c %F /'") == "Verzeichnis"


@pytest.mark.parametrize("fast", ["", "no"], ids=["one-shell", "stock"])
@pytest.mark.parametrize("environment", ["staging", "production"])
def test_a_second_run_changes_nothing(
    guarded_12: Guarded, monkeypatch: pytest.MonkeyPatch, environment: str, fast: str
) -> None:
    monkeypatch.setenv("STAGECRAFT_FAST", fast)
    assert guarded_12.project.apply(environment) == []


def test_the_check_finds_nothing(guarded_12: Guarded) -> None:
    run = guarded_12.drift("staging", "production")
    assert run.returncode == 0, run.stdout + run.stderr
    assert "Clean" in run.stdout
