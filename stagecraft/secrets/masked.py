"""A value that is masked until it is explicitly revealed."""

from hmac import compare_digest
from typing import NoReturn, Self

MASK = "***"


class Secret:
    """Masks its value in repr, str, format, logs and pyinfra's JSON. `reveal()` returns it. Only
    code that delivers a file or SQL reveals it. It is not a `str`, because json.dumps and str.join
    would print a subclass in clear text."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        return self._value

    def to_json(self) -> str:
        """What pyinfra's JSON shows."""
        return MASK

    def __repr__(self) -> str:
        return f"Secret({MASK})"

    def __str__(self) -> str:
        return MASK

    def __format__(self, spec: str) -> str:
        return MASK

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return compare_digest(self._value.encode(), other._value.encode())

    def __hash__(self) -> int:
        return hash(self._value)

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: object) -> Self:
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret cannot be pickled: it could be written to disk in clear text")
