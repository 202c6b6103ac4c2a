"""Basic auth's password file."""

from __future__ import annotations

import hmac
from base64 import b64encode
from collections.abc import Mapping

import bcrypt

from stagecraft.secrets import Secret
from stagecraft.settings import Site
from stagecraft.settings.models import HTPASSWD_SALT, basic_auth_secret

COST = 6
"""nginx hashes for every request, in its only thread: about 4 ms here. Each step doubles it."""


def htpasswd_lines(site: Site, secrets: Mapping[str, Secret]) -> str:
    """A line for each user, the same in every run: a salt drawn anew would show as a change in
    every plan."""
    return "".join(
        f"{user}:{hashed(secrets[basic_auth_secret(user)], salt(user, site, secrets))}\n"
        for user in site.protect.basic_auth
    )


def salt(user: str, site: Site, secrets: Mapping[str, Secret]) -> bytes:
    """16 bytes that nobody can compute without the site's secret. The password has no part in
    them: a salt made of it alone would confirm a guess without bcrypt."""
    key = secrets[HTPASSWD_SALT].reveal().encode()
    return hmac.digest(key, f"{site.name}\0{user}".encode(), "sha256")[:16]


def hashed(password: Secret, salt: bytes) -> str:
    setting = b"$2b$%02d$" % COST + bcrypt_base64(salt)
    return bcrypt.hashpw(password.reveal().encode(), setting).decode()


def bcrypt_base64(data: bytes) -> bytes:
    """bcrypt's own alphabet, of which it wants 22 characters for 16 bytes."""
    standard = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    own = b"./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
    return b64encode(data).translate(bytes.maketrans(standard, own)).rstrip(b"=")
