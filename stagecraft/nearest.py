"""Suggestions for unknown words."""

from collections.abc import Collection
from difflib import get_close_matches


def did_you_mean(word: str, known: Collection[str]) -> str:
    """The end of an error about `word`: the nearest known word, or all of them."""
    nearest = get_close_matches(word, known, n=1)
    if nearest:
        return f"; did you mean {nearest[0]!r}?"
    return f"; known: {', '.join(known)}" if known else ""
