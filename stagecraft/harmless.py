"""Text from a server, made safe to print: no terminal control characters, nothing to misread."""

import logging
import re
from collections.abc import Iterable, Iterator
from typing import Any

KEPT = re.compile(r"(\t|\x1b\[(?:[014]|3[1-7]|9[1-7])m)")
"""Tabs, and the colour codes of click.style, which cannot hide text."""

BLANK = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0]")
"""Letters and marks that look like nothing or like a space, but count as printable."""

LONGEST_LINE = 500
"""The maximum length of a line, in characters."""

MOST_LINES = 200


def harmless(text: str) -> str:
    """The text with an escape such as `\\x1b` in place of each character that is not printed as
    itself: control characters, line ends, characters that reverse or hide text, and bytes that are
    not UTF-8 (surrogates in Python)."""
    return text if shows(text) else "".join(map(escaped, text))


def shows(text: str) -> bool:
    return text.isprintable() and (text.isascii() or not BLANK.search(text))


def escaped(character: str) -> str:
    if shows(character):
        return character
    if "\udc80" <= character <= "\udcff":
        return f"\\x{ord(character) & 0xFF:02x}"
    return character.encode("unicode_escape").decode()


def harmless_lines(text: str) -> str:
    """The same for a text with several lines."""
    return "\n".join(map(harmless, text.split("\n")))


def bounded(lines: Iterable[str]) -> Iterator[str]:
    """The lines, limited in number and length; says what is left out."""
    for count, line in enumerate(lines):
        if count == MOST_LINES:
            yield f"… and more lines than the {MOST_LINES} that are shown"
            return
        more = f" … and {len(line) - LONGEST_LINE} more characters" * (len(line) > LONGEST_LINE)
        yield line[:LONGEST_LINE] + more


def in_one_line(words: Iterable[str]) -> str:
    """The words, harmless and limited in length."""
    return "".join(bounded([harmless(", ".join(words))]))


def coloured(text: str) -> str:
    """Like `harmless_lines`, but keeps tabs and the colours of pyinfra's own output."""
    parts = KEPT.split(text)
    plain = map(harmless_lines, parts[::2])
    return "".join(text + colour for text, colour in zip(plain, [*parts[1::2], ""], strict=True))


def echo(message: Any = None, **arguments: Any) -> None:
    """Replaces click.echo where pyinfra prints a command's output."""
    import click  # imported here: throwaway servers boot before anything is installed

    click.echo(coloured(message) if isinstance(message, str) else message, **arguments)


class Harmless(logging.Filter):
    """Accepts every record, and makes its text harmless."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = coloured(record.getMessage()), None
        return True
