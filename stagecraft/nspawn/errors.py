"""The one exception of throwaway servers."""


class NspawnError(Exception):
    """A throwaway server cannot be had; the text says what is wrong and what would help."""
