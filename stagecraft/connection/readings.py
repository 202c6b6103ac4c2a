"""What a server says to facts, asked through one shell."""

from __future__ import annotations

from collections.abc import Sequence

from stagecraft.connection.shell import Answer, Shell
from stagecraft.facts.reading import Reading

FRESH = 10.0
"""Seconds a prefetched answer is good for: a slow server keeps the others of its run waiting."""


class Readings:
    """Answers that are true as long as the run itself changes nothing on the server."""

    def __init__(self, shell: Shell) -> None:
        self._shell = shell
        self._prefetched: dict[Reading, Answer] = {}

    def prefetch(self, commands: Sequence[Reading]) -> None:
        """Asks for all of them, and forgets what was prefetched before. Raises ShellEnded."""
        self._prefetched = dict(zip(commands, self._shell.ask(*commands), strict=True))

    def lines(self, command: Reading) -> list[str] | None:
        """What the command prints, asked now unless it was prefetched; None where it fails, so that
        pyinfra runs it and says what is wrong. Raises ShellEnded."""
        answer = self._prefetched.get(command)
        if answer is None or answer.age > FRESH:
            [answer] = self._shell.ask(command)
        self._shell.wait(answer)
        return _lines(answer)

    def forget(self) -> None:
        """What was prefetched counts no more."""
        self._prefetched.clear()

    def close(self) -> None:
        self._shell.close()


def _lines(answer: Answer) -> list[str] | None:
    if answer.status != 0:
        return None
    # One name that is no UTF-8 must not take the rest of an answer with it.
    text = answer.stdout.decode(errors="replace")
    return text.removesuffix("\n").split("\n") if text else []
