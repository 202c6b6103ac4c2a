"""When things last changed and who was root, from the journal and apt's history."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from stagecraft.facts.reading import Fact

COMMAND = re.compile(
    r" *(?P<user>[^ ]+) : (?:(?:HOST|TTY|CHROOT|PWD)=.* ; )?USER=root ; (?:.* ; )?"
    r"COMMAND=(?P<line>.*)",
    re.DOTALL,
)
"""sudo's message about a command that it ran as root. For a refused one, the reason comes first."""

LOGIN = re.compile(r"Accepted publickey for (?P<user>[^ ]+) from .* (?P<fingerprint>SHA256:[^ ]+)")


@dataclass(frozen=True)
class Sudo:
    """A command that an account ran as root. Its line may contain a secret."""

    moment: float
    user: str
    line: str = field(repr=False)


@dataclass(frozen=True)
class KeyLogin:
    """A login with the key of this fingerprint (`SHA256:…`)."""

    moment: float
    user: str
    fingerprint: str


@dataclass(frozen=True)
class Apt:
    """A change of packages: the command, and the requesting user if apt knows."""

    moment: float
    command: str
    user: str
    packages: frozenset[str]


@dataclass(frozen=True)
class Trail:
    """Times are in seconds since the epoch. `paths` and `units` have the last change of each."""

    paths: dict[str, float] = field(default_factory=dict)
    units: dict[str, float] = field(default_factory=dict)
    sudo: tuple[Sudo, ...] = ()
    logins: tuple[KeyLogin, ...] = ()
    apt: tuple[Apt, ...] = ()


def parse_trail(lines: list[str]) -> Trail:
    """Reads tab-separated lines."""
    rows: dict[str, list[list[str]]] = {}
    for line in lines:
        kind, *row = line.split("\t")
        rows.setdefault(kind, []).append(row)
    accounts = {name: uid for uid, name in rows.get("account", [])}
    events = [witness(json.loads(text), accounts) for (text,) in rows.get("journal", [])]
    return Trail(
        paths={path: float(moment) for moment, path in rows.get("path", [])},
        units={unit: float(moment) for moment, unit in rows.get("unit", [])},
        sudo=tuple(entry for entry in events if isinstance(entry, Sudo)),
        logins=tuple(entry for entry in events if isinstance(entry, KeyLogin)),
        apt=tuple(
            Apt(float(moment), command, user, frozenset(packages.split()))
            for moment, command, user, packages in rows.get("apt", [])
        ),
    )


def witness(entry: dict[str, Any], accounts: Mapping[str, str]) -> Sudo | KeyLogin | None:
    """The event in a journal entry, if its sender can be trusted with it: sudo's only from the
    account that called it."""
    message, uid = entry.get("MESSAGE"), entry.get("_UID")
    if not isinstance(message, str):  # sudo and sshd only write text
        return None
    moment = int(entry["__REALTIME_TIMESTAMP"]) / 1e6
    if entry.get("SYSLOG_IDENTIFIER") == "sudo":
        command = COMMAND.fullmatch(message)
        if command and accounts.get(command["user"]) == uid:
            return Sudo(moment, command["user"], command["line"])
    elif login := LOGIN.fullmatch(message):
        return KeyLogin(moment, login["user"], login["fingerprint"])
    return None


class TrailFact(Fact[Trail]):
    """For the given paths and units."""

    parse = staticmethod(parse_trail)

    def command(self, paths: list[str], units: list[str]) -> str:
        return self.script(paths="\n".join(paths), units="\n".join(units))
