"""Which versions a package of composer asks for: https://getcomposer.org/doc/articles/versions.md"""

import re

Version = tuple[int, ...]

NUMBERS = re.compile(r"v?(\d+(?:\.\d+){0,3})")
TERM = re.compile(r"(\^|~|>=|<=|!=|<>|==|=|<|>)?v?(\d+(?:\.\d+){0,3})(\.[*x])?")

LONGEST = 200


def satisfied(version: str, constraint: str) -> bool:
    """Also where it is not understood: composer itself refuses in the build."""
    found = NUMBERS.match(version)
    if not found or len(constraint) > LONGEST:
        return True
    try:
        alternatives = re.split(r"\|\|?", constraint)
        return any(_meets(_parsed(found[1]), each.strip()) for each in alternatives)
    except ValueError:
        return True


def _meets(version: Version, constraint: str) -> bool:
    """All terms of it. Raises ValueError for one that is not understood."""
    if between := re.fullmatch(r"(\S+) +- +(\S+)", constraint):
        low, high = _parsed(between[1]), _parsed(between[2])
        whole = between[2].count(".") >= 2
        return low <= version and (version <= high if whole else version < _next(between[2]))
    joined = re.sub(r"(?<=[<>=!~^]) +", "", constraint)
    return all(_term(version, term) for term in re.split(r"[ ,]+", joined))


def _term(version: Version, term: str) -> bool:
    if term in ("*", ""):
        return True
    match = TERM.fullmatch(term)
    if not match:
        raise ValueError(term)
    operator, numbers, wildcard = match.groups()
    asked = _parsed(numbers)
    if wildcard:
        return (asked <= version < _next(numbers)) != (operator in ("!=", "<>"))
    match operator:
        case "^":
            return asked <= version < _next(_significant(numbers))
        case "~":
            return asked <= version < _next(numbers.rpartition(".")[0] or numbers)
        case ">=":
            return version >= asked
        case "<=":
            return version <= asked
        case ">":
            return version > asked
        case "<":
            return version < asked
        case "!=" | "<>":
            return version != asked
    return version == asked


def _significant(numbers: str) -> str:
    """Up to the first number that is not 0."""
    return re.match(r"(?:0\.)*\d+", numbers)[0]  # type: ignore[index]


def _next(numbers: str) -> Version:
    """The first version that does not begin with these."""
    *before, last = NUMBERS.fullmatch(numbers)[1].split(".")  # type: ignore[index]
    return _parsed(".".join([*before, str(int(last) + 1)]))


def _parsed(numbers: str) -> Version:
    match = NUMBERS.fullmatch(numbers)
    if not match:
        raise ValueError(numbers)
    parts = [int(number) for number in match[1].split(".")]
    return tuple(parts + [0] * (4 - len(parts)))
