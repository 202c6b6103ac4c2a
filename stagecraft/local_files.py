"""Files on the operator's machine that the settings name."""

from __future__ import annotations

import stat
from pathlib import Path


def unreadable(path: str | Path) -> str | None:
    """Why this is no file that can be read; None if it is. Opens nothing but files: reading a pipe
    would wait for ever."""
    try:
        mode = Path(path).stat().st_mode
        if not stat.S_ISREG(mode):
            return f"{path} is a directory" if stat.S_ISDIR(mode) else f"{path} is no regular file"
        Path(path).open("rb").close()
    except (FileNotFoundError, NotADirectoryError):
        return f"there is no file {path}"
    except OSError as error:
        return f"{path} cannot be read: {error.strerror}"
    except ValueError:
        return f"{str(path)!r} is no path"
    return None


def not_text(path: str | Path) -> str | None:
    """Why this is no text file that can be read; None if it is."""
    if wrong := unreadable(path):
        return wrong
    try:
        Path(path).read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        return f"{path} is no text: byte {error.start} is not UTF-8"
    return None


def wrong_private_key(path: str) -> str | None:
    """Why this is no SSH private key; None if it is."""
    if wrong := not_text(path):
        return wrong
    first, *_ = Path(path).read_text(encoding="utf-8").splitlines() or [""]
    if first.startswith("-----BEGIN ") and first.endswith(" PRIVATE KEY-----"):
        return None
    advice = f": name the private one, {path.removesuffix('.pub')}" * path.endswith(".pub")
    return f"{path} is no private key as ssh-keygen writes it{advice}"


def wrong_certificates(path: str) -> str | None:
    """Why this is no bundle of certificates; None if it is."""
    if wrong := not_text(path):
        return wrong
    if "-----BEGIN CERTIFICATE-----" in Path(path).read_text(encoding="utf-8"):
        return None
    return f"{path} has no certificate in PEM, -----BEGIN CERTIFICATE-----"
