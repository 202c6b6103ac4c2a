"""File names from a server: whoever can create a file can use any bytes but NUL."""

from base64 import b64decode
from collections.abc import Iterator, Sequence


def rows(output: Sequence[str], width: int) -> Iterator[tuple[str, ...]]:
    """Rows of `width` NUL-terminated fields, printed as base64 because pyinfra only reads lines of
    UTF-8. No name can pass for another field; bytes that are not UTF-8 become surrogates."""
    text = b64decode("".join(output)).decode("utf-8", "surrogateescape")
    fields = iter(text.split("\0")[:-1])
    return zip(*[fields] * width, strict=True)
