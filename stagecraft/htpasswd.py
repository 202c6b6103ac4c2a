"""The password file of basic auth."""

import hmac
from base64 import b64encode
from collections.abc import Mapping

import bcrypt

from stagecraft.secrets import Secret
from stagecraft.settings import Site
from stagecraft.settings.models import HTPASSWD_SALT, basic_auth_secret

COST = 6
"""bcrypt's cost: about 4 ms per request here, in nginx's only thread. Each step doubles it."""


def htpasswd_lines(site: Site, secrets: Mapping[str, Secret]) -> str:
    """A line per user. Salts are derived: random ones would show as a change in every plan."""
    return "".join(
        f"{user}:{hashed(secrets[basic_auth_secret(user)], salt(user, site, secrets))}\n"
        for user in site.protect.basic_auth
    )


def salt(user: str, site: Site, secrets: Mapping[str, Secret]) -> bytes:
    """16 bytes derived from the site's secret, which others cannot compute. Not derived from the
    password: such a salt would confirm guesses without bcrypt."""
    key = secrets[HTPASSWD_SALT].reveal().encode()
    return hmac.digest(key, f"{site.name}\0{user}".encode(), "sha256")[:16]


def hashed(password: Secret, salt: bytes) -> str:
    setting = b"$2b$%02d$" % COST + bcrypt_base64(salt)
    return bcrypt.hashpw(password.reveal().encode(), setting).decode()


def bcrypt_base64(data: bytes) -> bytes:
    """bcrypt's own base64 alphabet, without padding: 22 characters for 16 bytes."""
    standard = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    own = b"./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
    return b64encode(data).translate(bytes.maketrans(standard, own)).rstrip(b"=")
