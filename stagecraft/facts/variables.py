"""Which variables of the database server somebody has set since it started."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from stagecraft.facts.database import CLIENTS, OPTIONS, columns
from stagecraft.facts.reading import Fact

HIDDEN = "(hidden)"

SECRETS = "password|secret|auth|init_connect|init_slave|init_replica|_key$"
"""Variables whose value may be a secret, or hold one."""

QUERIES = {
    "mariadb": """
SELECT 'variable', LOWER(VARIABLE_NAME),
    IF(VARIABLE_NAME REGEXP '%s' AND NOT GLOBAL_VALUE <=> DEFAULT_VALUE, '%s', GLOBAL_VALUE),
    DEFAULT_VALUE, '', 0
  FROM information_schema.SYSTEM_VARIABLES WHERE GLOBAL_VALUE_ORIGIN = 'SQL'""",
    # Without a user it was the server itself.
    "mysql": """
SELECT 'variable', VARIABLE_NAME,
    IF(VARIABLE_NAME REGEXP '%s', '%s', VARIABLE_VALUE), NULL,
    CONCAT(SET_USER, '@', SET_HOST), UNIX_TIMESTAMP(SET_TIME)
  FROM performance_schema.variables_info JOIN performance_schema.global_variables
    USING (VARIABLE_NAME)
  WHERE VARIABLE_SOURCE = 'DYNAMIC' AND SET_USER IS NOT NULL""",
}

STARTING = {
    "mariadb": "mariadbd --print-defaults 2>/dev/null | tr ' ' '\\n'",
    "mysql": "mysqld --verbose --help 2>/dev/null"
    " | sed -nE '/^-----/,$ s/^([a-z][^ ]+) +/--\\1=/p'",
}
"""What prints the options of the next start, `--name=value`: MariaDB's those of the option files,
MySQL's all of them, since its variables know no default."""


@dataclass(frozen=True)
class Variable:
    """A global variable that was set while the server runs. `configured` is what its options
    say, None where nothing; `default` is None where the server does not tell. `who` and `since`
    (seconds since the epoch) are MySQL's to know."""

    name: str
    value: str
    configured: str | None = None
    default: str | None = None
    who: str = ""
    since: float = 0


def parse_variables(lines: list[str]) -> list[Variable]:
    """Reads the rows of the query, and after them the server's options, one a line."""
    configured: dict[str, str] = {}
    rows = []
    for line in lines:
        kind, *row = columns(line)
        if kind == "variable":
            rows.append(row)
        elif kind == "option":
            name, has_value, value = row[0].removeprefix("--").partition("=")
            configured[name.replace("-", "_")] = value if has_value else "ON"
    return [
        Variable(
            name=name,
            value=value,
            configured=configured.get(name),
            default=None if default == "NULL" else default,
            who=who,
            since=float(since),
        )
        for name, value, default, who, since in rows
    ]


class VariablesFact(Fact[list[Variable]]):
    """The `Variable`s that were set on the running server; none where it does not run. What the
    option files say of them is only asked for where there are any."""

    parse = staticmethod(parse_variables)

    def command(self, engine: str) -> str:
        query = shlex.quote(QUERIES[engine] % (SECRETS, HIDDEN))
        hidden = shlex.quote(f"/^[^=]*({SECRETS.replace('_', '[-_]').replace('$', '=')})/d")
        return (
            f"set=$({CLIENTS[engine]} {OPTIONS} --execute={query} 2>/dev/null) || exit 0;"
            f' [ -n "$set" ] || exit 0; echo "$set";'
            f" {STARTING[engine]}"
            f" | sed -E -e {hidden} -n -e 's/^--/option\\t--/p'"
        )
