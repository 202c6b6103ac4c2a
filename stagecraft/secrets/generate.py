"""Generates values, and checks given ones."""

import re
from base64 import b64decode, b64encode
from secrets import choice, token_bytes
from string import ascii_letters, digits

from stagecraft.secrets.masked import Secret


def generate(key: str) -> Secret:
    """A random value for `key`: for APP_KEY 32 bytes in Laravel's format, else 32 characters.
    Letters and digits need no escaping in SQL, .env, URLs and shells. 32 of them have 190 bits."""
    if key == "APP_KEY":
        return Secret(f"base64:{b64encode(token_bytes(32)).decode()}")
    return Secret("".join(choice(ascii_letters + digits) for _ in range(32)))


def unfit(key: str, value: str) -> str | None:
    """Why `value` cannot be the secret `key`; None if it can."""
    if not value:
        return "it is empty"
    if re.search(r"[\x00-\x1f\x7f]", value):
        return "it must be one line without control characters"
    if key.startswith("BASIC_AUTH_") and len(value.encode()) > 72:
        return "it is longer than 72 bytes, the maximum of bcrypt"
    if key == "APP_KEY" and not _is_laravel_key(value):
        return "it must be base64: and 32 bytes in base64, as `artisan key:generate --show` prints"
    return None


def _is_laravel_key(value: str) -> bool:
    try:
        return value.startswith("base64:") and len(b64decode(value[7:], validate=True)) == 32
    except ValueError:
        return False
