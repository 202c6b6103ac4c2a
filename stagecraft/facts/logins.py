"""Who can log in or become root: accounts, groups, keys and the states of passwords."""

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass, field

from stagecraft.facts.accounts import Account, named_account, named_members
from stagecraft.facts.reading import Fact, by_kind, fields

PUBLIC_KEY = re.compile(
    r"((?:sk-)?(?:ssh|ecdsa)-[a-z0-9@.-]+) (AAAA[A-Za-z0-9+/]+={0,2})(?: (.*))?$"
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
    """`members` are those listed in a group; `passwords` says `set` or `empty`."""

    accounts: dict[str, Account] = field(default_factory=dict)
    members: dict[str, frozenset[str]] = field(default_factory=dict)
    passwords: dict[str, str] = field(default_factory=dict)
    keys: list[Key] = field(default_factory=list)


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
    def process(self, output: list[str]) -> Logins:
        found = by_kind(output)
        passwords = fields(found["password"])
        keys = (public_key(*line.split("\t", 1)) for line in found["key"])
        return Logins(
            accounts=dict(map(named_account, found["account"])),
            members=dict(map(named_members, found["group"])),
            passwords={account: state for state, account in passwords},
            keys=[key for key in keys if key],
        )
