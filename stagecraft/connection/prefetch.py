"""The facts that the last run read, so that this run can prefetch them.

Saves only names and arguments of facts, never answers or shell commands, so that a saved file can
only cause reads.
"""

import json
from collections.abc import Iterator
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

from stagecraft.facts.reading import Reading
from stagecraft.local_files import write_whole

FACTS = "stagecraft.facts."
"""The package of facts that may be saved."""


class Prefetch:
    """The facts of the last run, from a file, and those of this run for the next one."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._remembered = list(_read(path))
        self._asked: dict[Reading, None] = {}  # each once, in order of first use

    @property
    def commands(self) -> list[Reading]:
        """The facts to prefetch: this run's so far, then the last run's."""
        return list(self._asked | dict.fromkeys(self._remembered))

    def note(self, command: Reading) -> None:
        self._asked.setdefault(command)

    def keep(self) -> None:
        """Saves this run's facts, unless it ended early: then it has read only some of them."""
        asked = list(self._asked)
        if asked == self._remembered[: len(asked)]:
            return
        facts = [[command.fact.name, command.arguments] for command in asked]
        with suppress(OSError):  # a read-only checkout is slower, not broken
            write_whole(self._path, json.dumps(facts, indent=0))


def _read(path: Path) -> Iterator[Reading]:
    """The commands by today's facts; skips facts that no longer exist."""
    try:
        facts = json.loads(path.read_text())
    except (OSError, ValueError):
        return
    for entry in facts if isinstance(facts, list) else []:
        with suppress(ImportError, AttributeError, LookupError, TypeError, ValueError):
            yield _command(*entry)


def _command(name: str, arguments: dict[str, Any]) -> Reading:
    if not name.startswith(FACTS):
        raise ValueError(f"{name} is no fact of ours")
    module, _, fact = name.rpartition(".")
    command = getattr(import_module(module), fact)().command(**arguments)
    if not isinstance(command, Reading):
        raise TypeError(f"{name} does more than read")
    return command
