"""Who can log in or become root: accounts, groups, keys and the states of passwords."""

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from stagecraft.facts.accounts import Account
from stagecraft.facts.reading import Fact

PUBLIC_KEY = re.compile(
    r"((?:sk-)?(?:ssh|ecdsa)-[a-z0-9@.-]+) (AAAA[A-Za-z0-9+/]+={0,2})(?: (.*))?$"
)

PASSWORDS = (
    r"""awk -F: '$2 == "" {print "password\tempty\t" $1} $2 ~ /^[$_]|^.{13}$/"""
    r""" {print "password\tset\t" $1}' /etc/shadow"""
)
"""Prints which accounts have a password, and nothing about it."""

KEYS = (
    "getent passwd | while IFS=: read -r account _ _ _ _ home _; do"
    ' for file in "$home/.ssh/authorized_keys" "$home/.ssh/authorized_keys2"; do'
    ' [ ! -f "$file" ] || sed "/^#/d; s|^|key\\t$account\\t|" "$file"; done; done'
)


@dataclass(frozen=True)
class Key:
    """A public key in an account's own file, with its comment."""

    account: str
    fingerprint: str
    line: str
    comment: str = ""


@dataclass
class Logins:
    """`members` are those listed in a group; `passwords` says `set` or `empty` for accounts with
    one."""

    accounts: dict[str, Account] = field(default_factory=dict)
    members: dict[str, frozenset[str]] = field(default_factory=dict)
    passwords: dict[str, str] = field(default_factory=dict)
    keys: list[Key] = field(default_factory=list)


def parse_logins(lines: Iterable[str]) -> Logins:
    """Reads tab-separated lines."""
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
    """None for a line without a key: a site can make its file a link to anything."""
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
    parse = staticmethod(parse_logins)

    def command(self) -> str:
        return (
            "getent passwd | sed 's/^/account\\t/'; getent group | sed 's/^/group\\t/';"
            f" {PASSWORDS}; {KEYS}; true"
        )
