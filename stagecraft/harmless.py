"""Text from a server as people may see it: a terminal obeys none of it, and nobody misreads it."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Iterator
from typing import Any

KEPT = re.compile(r"(\t|\x1b\[(?:[014]|3[1-7]|9[1-7])m)")
"""Tabs, and what click.style begins and ends colours with. Nothing of it hides text."""

LONGEST_LINE = 500
"""Characters of a line that a person still reads."""

MOST_LINES = 200


def harmless(text: str) -> str:
    """The text with an escape such as `\\x1b` in place of each character that is not printed as
    itself: control characters, line ends, what reverses or hides text, and bytes that are no UTF-8
    (which Python calls surrogates)."""
    return text if text.isprintable() else "".join(map(escaped, text))


def escaped(character: str) -> str:
    if character.isprintable():
        return character
    if "\udc80" <= character <= "\udcff":
        return f"\\x{ord(character) & 0xFF:02x}"
    return character.encode("unicode_escape").decode()


def harmless_lines(text: str) -> str:
    """The same of a text with several lines."""
    return "\n".join(map(harmless, text.split("\n")))


def bounded(lines: Iterable[str]) -> Iterator[str]:
    """No more of the lines, and of each of them, than a person reads; what is left out is said."""
    for count, line in enumerate(lines):
        if count == MOST_LINES:
            yield f"… and more lines than the {MOST_LINES} that are shown"
            return
        more = f" … and {len(line) - LONGEST_LINE} more characters" * (len(line) > LONGEST_LINE)
        yield line[:LONGEST_LINE] + more


def coloured(text: str) -> str:
    """Harmless text of several lines, which keeps its tabs and the colours of pyinfra's own."""
    parts = KEPT.split(text)
    plain = map(harmless_lines, parts[::2])
    return "".join(text + colour for text, colour in zip(plain, [*parts[1::2], ""], strict=True))


def echo(message: Any = None, **arguments: Any) -> None:
    """click.echo, for what pyinfra prints of a command's output."""
    import click  # here alone: throwaway servers boot before anything is installed

    click.echo(coloured(message) if isinstance(message, str) else message, **arguments)


class Harmless(logging.Filter):
    """Lets every record pass, with harmless text."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = coloured(record.getMessage()), None
        return True
