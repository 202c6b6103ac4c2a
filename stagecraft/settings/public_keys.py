"""SSH public keys in settings: lines of .pub files, or paths of such files."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_ssh_public_key
from pydantic import AfterValidator, ValidationInfo

from stagecraft.local_files import not_text
from stagecraft.settings.values import local_path

KINDS = ("ssh-ed25519", "sk-ssh-ed25519@openssh.com", "ssh-rsa")
"""The types that sshd accepts (templates/sshd/): ed25519, also on a FIDO token, and RSA."""

RSA_BITS = 3072
"""RequiredRSASize in templates/sshd/."""


def is_line(value: str) -> bool:
    """Whether this is a key, not the path of one."""
    return " " in value.strip() or value.startswith(("ssh-", "sk-", "ecdsa-"))


def wrong_line(line: str) -> str | None:
    """What is wrong with a line of a .pub file; None if nothing."""
    kind, _, rest = line.partition(" ")
    if kind not in KINDS:
        return (
            f"{kind!r} is not an accepted type of key; a line of a .pub file begins with one of"
            f" {', '.join(KINDS)}"
        )
    try:
        key = load_ssh_public_key(f"{kind} {rest.partition(' ')[0]}".encode())
    except ValueError:
        return "the key is damaged: copy the whole line of the .pub file"
    if isinstance(key, RSAPublicKey) and key.key_size < RSA_BITS:
        return f"has {key.key_size} bits, but RSA needs {RSA_BITS}: create an ed25519 key"
    return None


def lines(keys: Iterable[str]) -> list[str]:
    """The keys, without duplicates and in order; paths are read."""
    return list(dict.fromkeys(line for key in keys for line in _lines_of(key)))


def _lines_of(key: str) -> Iterator[str]:
    text = key if is_line(key) else Path(key).read_text(encoding="utf-8")
    for line in text.splitlines():
        if line.strip() and not line.startswith("#"):
            yield line.strip()


def blobs(keys: Iterable[str]) -> set[str]:
    """The keys without their comments, and without files that are wrong."""
    readable = (key for key in keys if is_line(key) or not wrong_file(key))
    return {line.split()[1] for line in lines(readable)}


def wrong_file(path: str) -> str | None:
    """What is wrong with a file of public keys; None if nothing."""
    if text := not_text(path):
        return text
    wrong = (wrong_line(line) for line in _lines_of(path))
    return next((f"{path}: {text}" for text in wrong if text), None)


def _public_key(value: str, info: ValidationInfo) -> str:
    value = value.strip()
    if not is_line(value):
        return local_path(value, info)
    if "\n" in value:
        raise ValueError("must be one line: put each key into an entry of its own")
    if text := wrong_line(value):
        raise ValueError(text)
    return value


PublicKey = Annotated[str, AfterValidator(_public_key)]
