"""Who may log in or act as root by an account: all accounts, groups, keys and passwords' states."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from stagecraft.facts.admins import Account
from stagecraft.facts.reading import Fact

PUBLIC_KEY = re.compile(
    r"((?:sk-)?(?:ssh|ecdsa)-[a-z0-9@.-]+) (AAAA[A-Za-z0-9+/]+={0,2})(?: (.*))?$"
)

PASSWORDS = (
    r"""awk -F: '$2 == "" {print "password\tempty\t" $1} $2 ~ /^[$_]|^.{13}$/"""
    r""" {print "password\tset\t" $1}' /etc/shadow"""
)
"""Which accounts have one, and nothing of it."""

KEYS = (
    "getent passwd | while IFS=: read -r account _ _ _ _ home _; do"
    ' for file in "$home/.ssh/authorized_keys" "$home/.ssh/authorized_keys2"; do'
    ' [ ! -f "$file" ] || sed "/^#/d; s|^|key\\t$account\\t|" "$file"; done; done'
)


@dataclass(frozen=True)
class Key:
    """A public key that an account's own file names. `comment` is what a person calls it."""

    account: str
    fingerprint: str
    line: str
    comment: str = ""


@dataclass
class Logins:
    """`members` are those of a group that are named in it, `passwords` says `set` or `empty` of
    the accounts that have one."""

    accounts: dict[str, Account] = field(default_factory=dict)
    members: dict[str, frozenset[str]] = field(default_factory=dict)
    passwords: dict[str, str] = field(default_factory=dict)
    keys: list[Key] = field(default_factory=list)


def parse_logins(lines: Iterable[str]) -> Logins:
    """Reads the tab-separated lines that `LoginsFact.command` prints."""
    found = Logins()
    for line in lines:
        kind, _, rest = line.partition("\t")
        if kind == "account":
            name, _, uid, _, _, home, shell = rest.split(":")
            found.accounts[name] = Account(int(uid), home, shell)
        elif kind == "group":
            name, _, _, members = rest.split(":")
            found.members[name] = frozenset(filter(None, members.split(",")))
        elif kind == "password":
            state, _, account = rest.partition("\t")
            found.passwords[account] = state
        elif kind == "key":
            account, _, text = rest.partition("\t")
            if key := public_key(account, text):
                found.keys.append(key)
    return found


def public_key(account: str, line: str) -> Key | None:
    """None for a line without one: a site can make its file a link to anything."""
    match = PUBLIC_KEY.search(line)
    if match is None:
        return None
    algorithm, blob, comment = match.groups()
    try:
        digest = hashlib.sha256(base64.b64decode(blob, validate=True)).digest()
    except binascii.Error:
        return None
    fingerprint = "SHA256:" + base64.b64encode(digest).decode().rstrip("=")
    return Key(account, fingerprint, f"{algorithm} {blob}", (comment or "").strip())


class LoginsFact(Fact[Logins]):
    """The `Logins`."""

    parse = staticmethod(parse_logins)

    def command(self) -> str:
        return (
            "getent passwd | sed 's/^/account\\t/'; getent group | sed 's/^/group\\t/';"
            f" {PASSWORDS}; {KEYS}; true"
        )
