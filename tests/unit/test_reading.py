"""Every fact is marked as one that only reads, and stays a fact that pyinfra understands."""

from __future__ import annotations

import importlib
import json
import pkgutil
from collections.abc import Iterator
from inspect import getcallargs
from pathlib import Path
from typing import Any

import pytest
from pyinfra.api.facts import FactBase

from stagecraft import facts
from stagecraft.connection.prefetch import Prefetch
from stagecraft.facts.files import TreeFact
from stagecraft.facts.installation import InstallationFact
from stagecraft.facts.machine import MachineFact
from stagecraft.facts.reading import Fact, Reading


def all_facts() -> Iterator[type[FactBase[Any]]]:
    for module in pkgutil.iter_modules(facts.__path__):
        names = vars(importlib.import_module(f"stagecraft.facts.{module.name}"))
        for fact in names.values():
            if isinstance(fact, type) and issubclass(fact, FactBase) and "command" in vars(fact):
                yield fact


@pytest.mark.parametrize("fact", dict.fromkeys(all_facts()), ids=lambda fact: fact.__name__)
def test_every_fact_is_a_reading(fact: type[FactBase[Any]]) -> None:
    """Anything else counts as a change, and ends what is fast about a run."""
    assert issubclass(fact, Fact)


def test_a_reading_is_the_command_as_it_was() -> None:
    class Plain:
        command = TreeFact.command.__wrapped__  # type: ignore[attr-defined]

    marked = TreeFact().command(["/etc/a b"], user="www-data")
    assert marked == Plain().command(["/etc/a b"], user="www-data")
    assert (marked.fact, marked.arguments) == (
        TreeFact,
        {"paths": ["/etc/a b"], "user": "www-data"},
    )


def test_pyinfra_finds_the_arguments_of_a_marked_fact() -> None:
    """As pyinfra.api.facts calls it, which names those that were left out."""
    found = getcallargs(TreeFact().command, paths=["/etc"])
    found.pop("self")
    assert found == {"paths": ["/etc"], "user": "root"}


@pytest.fixture
def memory(tmp_path: Path) -> Path:
    return tmp_path / "prefetched/staging.json"


def run(memory: Path, *asked: Reading) -> list[Reading]:
    """A run that asks these; what it foresaw."""
    prefetch = Prefetch(memory)
    prefetched = prefetch.commands
    for command in asked:
        prefetch.note(command)
    prefetch.keep()
    return prefetched


MACHINE = MachineFact().command()
PACKAGES = InstallationFact().command(packages=["nginx"])
FILES = TreeFact().command(paths=["/etc/nginx"])


def test_a_run_prefetches_what_the_last_one_asked(memory: Path) -> None:
    assert run(memory, MACHINE, FILES, MACHINE) == []
    assert run(memory, MACHINE, PACKAGES) == [MACHINE, FILES]
    assert run(memory) == [MACHINE, PACKAGES]


def test_a_run_that_ended_early_is_no_reason_to_forget(memory: Path) -> None:
    run(memory, MACHINE, PACKAGES, FILES)
    run(memory, MACHINE)
    assert run(memory) == [MACHINE, PACKAGES, FILES]


def test_in_the_course_of_a_run_its_own_questions_come_before_those_of_the_last(
    memory: Path,
) -> None:
    """A run asks for the machine before it holds the lock, and prefetches all when it does."""
    run(memory, MACHINE, PACKAGES)
    prefetch = Prefetch(memory)
    prefetch.note(FILES)
    prefetch.note(PACKAGES)
    assert prefetch.commands == [FILES, PACKAGES, MACHINE]


def test_neither_commands_nor_answers_are_kept(memory: Path) -> None:
    run(memory, FILES)
    assert json.loads(memory.read_text()) == [
        ["stagecraft.facts.files.TreeFact", {"paths": ["/etc/nginx"]}]
    ]


@pytest.mark.parametrize(
    "name",
    ["subprocess.Popen", "stagecraft.facts.files.Gone", "stagecraft.facts.gone.Fact",
     "stagecraft.facts.files.Entry", "stagecraft.operations.files.Checker"],
)  # fmt: skip
def test_what_is_no_fact_of_ours_is_forgotten(memory: Path, name: str) -> None:
    memory.parent.mkdir()
    memory.write_text(json.dumps([[name, {}], ["stagecraft.facts.machine.MachineFact", {}]]))
    assert run(memory) == [MACHINE]


@pytest.mark.parametrize("text", ["", "[", "{}", '{"a": 1}', "[1]", '[["a"]]', "[[1, 2]]", "null"])
def test_a_damaged_memory_is_none(memory: Path, text: str) -> None:
    memory.parent.mkdir()
    memory.write_text(text)
    assert run(memory, MACHINE) == []
    assert run(memory) == [MACHINE]


def test_a_checkout_that_cannot_be_written_to_has_no_memory(tmp_path: Path) -> None:
    (tmp_path / "prefetched").write_text("in the way")
    assert run(tmp_path / "prefetched/staging.json", MACHINE) == []
