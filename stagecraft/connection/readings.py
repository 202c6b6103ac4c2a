"""A server's answers to facts, read through one shell."""

from collections.abc import Sequence

from stagecraft.connection.shell import Answer, Shell
from stagecraft.facts.reading import Reading

FRESH = 10.0
"""Seconds for which a prefetched answer is valid: on a slow server, others have to wait."""


class Readings:
    """Answers that stay valid until the run changes something on the server."""

    def __init__(self, shell: Shell) -> None:
        self._shell = shell
        self._prefetched: dict[Reading, Answer] = {}

    def prefetch(self, commands: Sequence[Reading]) -> None:
        """Starts all commands, and discards earlier answers. Raises ShellEnded."""
        self._prefetched = dict(zip(commands, self._shell.ask(*commands), strict=True))

    def lines(self, command: Reading) -> list[str] | None:
        """What the command prints, read now unless prefetched; None if it fails, so that pyinfra
        runs it and reports the error. Raises ShellEnded."""
        answer = self._prefetched.get(command)
        if answer is None or answer.age > FRESH:
            [answer] = self._shell.ask(command)
        self._shell.wait(answer)
        return _lines(answer)

    def forget(self) -> None:
        self._prefetched.clear()

    def close(self) -> None:
        self._shell.close()


def _lines(answer: Answer) -> list[str] | None:
    if answer.status != 0:
        return None
    # One name that is not UTF-8 must not discard the rest of an answer.
    text = answer.stdout.decode(errors="replace")
    return text.removesuffix("\n").split("\n") if text else []
