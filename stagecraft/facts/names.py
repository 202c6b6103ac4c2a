"""Names as a server has them: whoever may make a file chooses any bytes for its name but NUL."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Iterator, Sequence


def rows(output: Sequence[str], width: int) -> Iterator[tuple[str, ...]]:
    """The rows of so many fields that a command printed, each field with a NUL after it, through
    base64: pyinfra itself reads nothing but lines of UTF-8. No name can pass for another field;
    a byte that is no UTF-8 becomes a surrogate."""
    text = b64decode("".join(output)).decode("utf-8", "surrogateescape")
    fields = iter(text.split("\0")[:-1])
    return zip(*[fields] * width, strict=True)
