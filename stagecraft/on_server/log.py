"""What an action prints, for those who follow it and for later."""

from stagecraft.harmless import harmless, harmless_lines

MOST = 10_000_000
"""Bytes of output that are kept: a build could fill the disk."""


class Log:
    """Writes to standard output, which the action's unit appends to a file."""

    def __init__(self) -> None:
        self._left = MOST

    def say(self, text: str) -> None:
        print(harmless_lines(text), flush=True)

    def output(self, line: bytes) -> None:
        """A line that a program of the release printed."""
        if self._left > 0:
            self.keep(line.rstrip(b"\n"))
            self._left -= len(line) + 1
            if self._left <= 0:
                self.say("    … and more, which is left out")

    @property
    def cut(self) -> bool:
        """Whether output was left out."""
        return self._left <= 0

    def keep(self, line: bytes) -> None:
        print(f"    {harmless(line.decode(errors='surrogateescape'))}", flush=True)
