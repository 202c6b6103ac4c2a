"""One shell on a server that runs many commands over one SSH channel."""

import secrets
import shlex
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from stagecraft.connection.ssh import Session
from stagecraft.facts.reading import Reading

LIMIT = 20
"""The time limit of a command in seconds; then it is killed, and the next one runs. Slower facts
run again on a channel of their own without a limit, as in pyinfra."""

FRESH = 10.0
"""Seconds for which a prefetched answer is valid: on a slow server, others have to wait."""


class ShellEnded(Exception):
    """The shell has ended: killed, refused by sudo, or disconnected."""


@dataclass
class Answer:
    """A command's output and exit status; `status` is None until it has ended."""

    stdout: bytes = b""
    status: int | None = None
    asked: float = field(default_factory=time.monotonic)

    @property
    def age(self) -> float:
        """In seconds, since the command was sent: its output was true at some time since then."""
        return time.monotonic() - self.asked

    @property
    def lines(self) -> list[str] | None:
        """None if the command failed."""
        if self.status != 0:
            return None
        # One name that is not UTF-8 must not discard the rest of an answer.
        text = self.stdout.decode(errors="replace")
        return text.removesuffix("\n").split("\n") if text else []


class Shell:
    """Each command has a process of its own, without stdin or state from earlier ones. Standard
    error is discarded: pyinfra runs failing commands again and reports them."""

    def __init__(self, session: Session) -> None:
        """The session's command must start a shell that reads commands from stdin."""
        self._session = session
        self._mark = secrets.token_hex(16)
        self._awaited: deque[Answer] = deque()
        self._prefetched: dict[Reading, Answer] = {}
        # Output of the login shell's start files precedes this.
        self.ask("true")

    def prefetch(self, commands: Sequence[Reading]) -> None:
        """Starts all commands, and discards earlier answers. Raises ShellEnded."""
        self._prefetched = dict(zip(commands, self.ask(*commands), strict=True))

    def has_asked(self, command: Reading) -> bool:
        return command in self._prefetched

    def lines(self, command: Reading) -> list[str] | None:
        """What the command prints, read now unless prefetched; None if it fails, so that pyinfra
        runs it and reports the error. Raises ShellEnded."""
        answer = self._prefetched.get(command)
        if answer is None or answer.age > FRESH:
            [answer] = self.ask(command)
        self.wait(answer)
        return answer.lines

    def forget(self) -> None:
        """Discards prefetched answers: the run may have changed something on the server."""
        self._prefetched.clear()

    def ask(self, *commands: str) -> list[Answer]:
        """Sends the commands, to run in this order, and returns at once. Raises ShellEnded."""
        answers = [Answer() for _ in commands]
        self._awaited.extend(answers)
        try:
            self._session.send("".join(map(self._framed, commands)).encode())
        except OSError as error:
            raise ShellEnded(error) from error
        return answers

    def wait(self, answer: Answer) -> None:
        """Returns once the answer (one that `ask` returned) is complete. Raises ShellEnded."""
        while answer.status is None:
            self._read(self._awaited.popleft())

    def close(self) -> None:
        self._session.close()

    def _framed(self, command: str) -> str:
        """The mark begins a new line, even if the output before it does not end with one."""
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


class Shells:
    """Several shells of one server, which share what is prefetched: it has more than one core."""

    def __init__(self, shells: Sequence[Shell]) -> None:
        """At least one."""
        self._shells = shells

    def prefetch(self, commands: Sequence[Reading]) -> None:
        """Starts all commands, and discards earlier answers. Raises ShellEnded."""
        for number, shell in enumerate(self._shells):
            shell.prefetch(commands[number :: len(self._shells)])

    def lines(self, command: Reading) -> list[str] | None:
        """See `Shell`. What was not prefetched is asked of the first one."""
        asked = (shell for shell in self._shells if shell.has_asked(command))
        return next(asked, self._shells[0]).lines(command)

    def forget(self) -> None:
        for shell in self._shells:
            shell.forget()

    def close(self) -> None:
        for shell in self._shells:
            shell.close()
