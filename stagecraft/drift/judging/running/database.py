"""Variables of the database server that were set at runtime."""

import re
from collections.abc import Iterator

from stagecraft.drift.findings import Class, Finding, Kind
from stagecraft.drift.looking.server import Declared, ask
from stagecraft.engines import Engine
from stagecraft.facts.variables import HIDDEN, Variable, VariablesFact
from stagecraft.settings.values import size_in_bytes

VARIABLE = Kind(Class.RUNNING, "database variable")

REPLICATION = re.compile(r"gtid_(slave|replica|binlog)_")
"""A replica's position, which it sets itself."""

WORDS = {"on": "1", "true": "1", "yes": "1", "off": "0", "false": "0", "no": "0"}


def database_variables(declared: Declared) -> Iterator[Finding]:
    """`SET GLOBAL`, which the next start discards. A value that was set back is not a finding."""
    engine = declared.settings.engine
    for variable in ask(VariablesFact, engine=engine.name):
        expected = variable.default if variable.configured is None else variable.configured
        hidden = variable.value == HIDDEN
        known = expected is not None and not hidden
        same = known and plain(variable.value) == plain(expected or "") and not variable.persisted
        if REPLICATION.match(variable.name) or same:
            continue
        if engine.notes_sessions and expected is None and not hidden and not variable.persisted:
            continue  # not an option: it was SET SESSION
        where = "the default" if variable.configured is None else "by its options"
        yield VARIABLE.finding(
            variable.name,
            expected=f"{expected or 'nothing'}, {where}"
            if known
            else "the value at the start of the server",
            found=f"was set to {variable.value} while the server runs"
            + (", and for its next start" if variable.persisted else ""),
            remedy=forgotten(variable, engine) + remedy(variable, expected, engine),
            since=variable.since,
            who=variable.who,
        )


def plain(value: str) -> str:
    """Converts `1203M` to bytes and ON to 1, as the server prints values."""
    value = value.lower()
    if re.fullmatch(r"\d+[kmgt]", value):
        return str(size_in_bytes(value))
    if re.fullmatch(r"\d+\.\d+", value):
        return f"{float(value):g}"
    return WORDS.get(value, value)


def forgotten(variable: Variable, engine: Engine) -> str:
    reset = engine.sql(f"RESET PERSIST IF EXISTS {variable.name}")
    return f"{reset} && " if variable.persisted else ""


def remedy(variable: Variable, expected: str | None, engine: Engine) -> str:
    """Some values cannot be set by a statement: secrets, and names of logs that follow the
    host's."""
    if variable.value == HIDDEN or (expected == "" and variable.name.endswith("_file")):
        return f"systemctl restart {engine.unit}"
    if expected is None:
        return f'{engine.client} -e "SET GLOBAL {variable.name} = DEFAULT"'
    literal = plain(expected) if plain(expected).isdigit() else f"'{expected}'"
    return f'{engine.client} -e "SET GLOBAL {variable.name} = {literal}"'
