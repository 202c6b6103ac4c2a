"""Variables of the database server that were set since it started."""

import shlex
from dataclasses import dataclass

from stagecraft.engines import ENGINES
from stagecraft.facts.database import columns
from stagecraft.facts.reading import Fact, by_kind

HIDDEN = "(hidden)"

SECRETS = "password|secret|auth|init_connect|init_slave|init_replica|_key$"
"""Variables whose value may be or contain a secret."""


@dataclass(frozen=True)
class Variable:
    """A global variable that was set at runtime. `configured` is the value from its options, or
    None; `default` is None if the server does not tell. `who` and `since` (seconds since the epoch)
    are empty if the engine does not tell. `persisted`: the server keeps it for its next start."""

    name: str
    value: str
    configured: str | None = None
    default: str | None = None
    who: str = ""
    since: float = 0
    persisted: bool = False


class VariablesFact(Fact[list[Variable]]):
    """Empty if the server does not run. Reads option files only if a variable was set."""

    def command(self, engine: str) -> str:
        server = ENGINES[engine]
        query = server.ask(server.variables % (SECRETS, HIDDEN))
        hidden = shlex.quote(f"/^[^=]*({SECRETS.replace('_', '[-_]').replace('$', '=')})/d")
        return (
            f"set=$({query}) || exit 0;"
            f' [ -n "$set" ] || exit 0; echo "$set";'
            f" {server.options}"
            f" | sed -E -e {hidden} -n -e 's/^--/option\\t--/p'"
        )

    def process(self, output: list[str]) -> list[Variable]:
        found = by_kind(output)
        options = (columns(line)[0].lstrip("-").partition("=") for line in found["option"])
        configured = {
            name.replace("-", "_"): value if has_value else "ON"
            for name, has_value, value in options
        }
        return [
            Variable(
                name=name,
                value=value,
                configured=configured.get(name),
                default=None if default == "NULL" else default,
                who=who,
                since=float(since),
                persisted=persisted == "1",
            )
            for name, value, default, who, since, persisted in map(columns, found["variable"])
        ]
