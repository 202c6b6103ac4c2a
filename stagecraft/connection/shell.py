"""One shell on a server that answers many commands, over one SSH channel."""

from __future__ import annotations

import secrets
import shlex
import time
from collections import deque
from dataclasses import dataclass, field

from stagecraft.connection.ssh import Session

LIMIT = 20
"""Seconds a command may take; then it is ended, and the next one has its turn. A fact that needs
longer is asked again on a channel of its own, as pyinfra would, where it may take for ever."""


class ShellEnded(Exception):
    """The shell is gone: killed, refused by sudo, or the connection is cut."""


@dataclass
class Answer:
    """What a command printed and how it ended; `status` is None as long as neither is known."""

    stdout: bytes = b""
    status: int | None = None
    asked: float = field(default_factory=time.monotonic)

    @property
    def age(self) -> float:
        """Seconds; what it says was true at some moment since."""
        return time.monotonic() - self.asked


class Shell:
    """Each command has a process of its own, no stdin, and nothing of the ones before it. Its
    standard error is thrown away: a command that fails is for pyinfra to run and to report."""

    def __init__(self, session: Session) -> None:
        """The session's command must end up as a shell that reads commands from stdin."""
        self._session = session
        self._mark = secrets.token_hex(16)
        self._awaited: deque[Answer] = deque()
        # What the login shell's start files may print ends up in front of this.
        self.ask("true")

    def ask(self, *commands: str) -> list[Answer]:
        """Has the server run the commands, in this order, and returns at once. Raises
        ShellEnded."""
        answers = [Answer() for _ in commands]
        self._awaited.extend(answers)
        try:
            self._session.send("".join(map(self._framed, commands)).encode())
        except OSError as error:
            raise ShellEnded(error) from error
        return answers

    def wait(self, answer: Answer) -> None:
        """Returns when the answer, one of those that `ask` gave, is there. Raises ShellEnded."""
        while answer.status is None:
            self._read(self._awaited.popleft())

    def close(self) -> None:
        self._session.close()

    def _framed(self, command: str) -> str:
        """The mark begins a line whether the output before it ends with a newline or not."""
        return (
            f"timeout {LIMIT} sh -c {shlex.quote(command)} </dev/null 2>/dev/null;"
            f" printf '\\n{self._mark} %s\\n' $?\n"
        )

    def _read(self, answer: Answer) -> None:
        mark = self._mark.encode()
        lines: list[bytes] = []
        while not (line := self._line()).startswith(mark):
            lines.append(line)
        answer.stdout = b"".join(lines).removesuffix(b"\n")
        answer.status = int(line.split()[1])

    def _line(self) -> bytes:
        try:
            line = self._session.line()
        except OSError as error:
            raise ShellEnded(error) from error
        if not line.endswith(b"\n"):
            raise ShellEnded("its output ended")
        return line
