"""age encryption: who can read a secret (recipients), and with which private key (identities)."""

import os
from collections.abc import Iterable, Sequence
from getpass import getpass
from pathlib import Path
from typing import Any

import pyrage
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_ssh_private_key,
)

from stagecraft.local_files import not_text, write_whole

IDENTITY_VARIABLE = "STAGECRAFT_IDENTITY"
SSH_KEYS = ("~/.ssh/id_ed25519", "~/.ssh/id_rsa")

Identity = Any  # pyrage, written in Rust, declares no types


class IdentityError(Exception):
    """There is no private key, or none that fits; the message says what to do."""


def is_recipient(text: str) -> bool:
    """Whether `text` is a line of an SSH public key file (ed25519, RSA) or an age1… key."""
    try:
        _recipient(text)
    except pyrage.RecipientError:
        return False
    return True


def _recipient(text: str) -> Any:
    kind = pyrage.x25519 if text.startswith("age1") else pyrage.ssh
    return kind.Recipient.from_str(text)


def encrypt(value: str, recipients: Sequence[str]) -> str:
    """`value` as ASCII armor that any of the recipients can open."""
    armor: bytes = pyrage.encrypt(
        value.encode(), [_recipient(recipient) for recipient in recipients], armored=True
    )
    return armor.decode()


def make_identity(path: Path) -> None:
    """Writes a new age key, readable by its owner only, whole or not at all."""
    write_whole(path, f"{pyrage.x25519.Identity.generate()}\n", 0o600)


def recipient_of(identity_file: Path) -> str:
    """The recipient of an age identity file. Raises IdentityError for an invalid file."""
    if wrong := not_text(identity_file):
        raise IdentityError(wrong)
    line = _age_line(identity_file.read_text(encoding="utf-8"))
    try:
        return str(pyrage.x25519.Identity.from_str(line).to_public())
    except pyrage.IdentityError as error:
        raise IdentityError(f"its age key is damaged ({error})") from None


def owner(recipient: str) -> str:
    """A recipient in readable form: the comment of its SSH key, else its beginning."""
    _, _, comment = f"{recipient}  ".split(" ", 2)
    return comment.strip() or f"{recipient[:24]}…"


def identity_files() -> list[Path]:
    """The private keys to try: only STAGECRAFT_IDENTITY if it is set, else the usual SSH keys.
    Raises IdentityError if there is none."""
    chosen = os.environ.get(IDENTITY_VARIABLE)
    paths = [Path(path).expanduser() for path in ([chosen] if chosen else SSH_KEYS)]
    present = [path for path in paths if path.is_file()]
    if not present:
        wanted = f"{IDENTITY_VARIABLE}={chosen}" if chosen else " nor ".join(SSH_KEYS)
        raise IdentityError(f"there is no private key: no file {wanted}")
    return present


class Keyring:
    """Private keys to try in order; passphrases are asked for only when needed."""

    def __init__(self, paths: Iterable[Path]) -> None:
        """Raises IdentityError for a file that is not a private key."""
        self._open: list[Identity] = []
        self._locked: list[Path] = []
        for path in paths:
            identity = _opens_without_asking(path)
            if identity is None:
                self._locked.append(path)
            else:
                self._open.append(identity)

    def decrypt(self, armor: str) -> str:
        """The value in `armor`. Raises IdentityError when no key opens it."""
        while True:
            try:
                value: bytes = pyrage.decrypt(armor.encode(), self._open)
                return value.decode()
            except pyrage.DecryptError as error:
                if not self._locked:
                    raise IdentityError(f"no private key here opens it ({error})") from None
                self._open.append(_opens_by_passphrase(self._locked.pop(0)))


def _opens_without_asking(path: Path) -> Identity | None:
    """The key in `path`; None if it has a passphrase."""
    text = path.read_bytes()
    try:
        if b"AGE-SECRET-KEY-" in text:
            return pyrage.x25519.Identity.from_str(_age_line(text.decode()))
        return pyrage.ssh.Identity.from_buffer(text)
    except pyrage.IdentityError as error:
        if "must be decrypted" in str(error):
            return None
        raise IdentityError(f"{path} is no SSH or age private key ({error})") from None


def _opens_by_passphrase(path: Path) -> Identity:
    """The key in `path`, after asking for its passphrase. pyrage cannot read protected SSH keys, so
    `cryptography` (paramiko's) unlocks them in memory."""
    try:
        passphrase = getpass(f"Passphrase of {path}: ").encode()
        key = load_ssh_private_key(path.read_bytes(), passphrase)
    except EOFError:
        raise IdentityError(
            f"{path} has a passphrase and there is no terminal to ask for it: "
            f"set {IDENTITY_VARIABLE} to a key without one"
        ) from None
    except ValueError:
        raise IdentityError(f"the passphrase does not open {path}") from None
    return pyrage.ssh.Identity.from_buffer(
        key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
    )


def _age_line(text: str) -> str:
    lines = (line for line in text.splitlines() if line.startswith("AGE-SECRET-KEY-"))
    if (line := next(lines, None)) is None:
        raise IdentityError("there is no age key in it")
    return line
