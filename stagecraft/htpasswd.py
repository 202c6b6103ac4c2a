"""Basic auth's password file."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Mapping

import bcrypt

from stagecraft.secrets import Secret
from stagecraft.settings import Site
from stagecraft.settings.models import basic_auth_secret

COST = 6
"""nginx hashes for every request, in its only thread: about 4 ms here. Each step doubles it."""


def htpasswd_lines(site: Site, secrets: Mapping[str, Secret]) -> str:
    """A line for each user, the same for the same password: a salt drawn at random would show
    as a change in every plan."""
    return "".join(
        f"{user}:{hashed(user, site, secrets[basic_auth_secret(user)].reveal())}\n"
        for user in site.protect.basic_auth
    )


def hashed(user: str, site: Site, password: str) -> str:
    seed = hashlib.sha256(f"{site.name}\0{user}\0{password}".encode()).digest()[:16]
    return bcrypt.hashpw(password.encode(), b"$2b$%02d$" % COST + bcrypt_base64(seed)).decode()


def bcrypt_base64(data: bytes) -> bytes:
    """bcrypt's own alphabet, of which it wants 22 characters for 16 bytes."""
    standard = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    own = b"./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
    return b64encode(data).translate(bytes.maketrans(standard, own)).rstrip(b"=")
