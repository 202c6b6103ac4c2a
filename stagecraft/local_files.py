"""Files on this machine: what is wrong with those that the settings name; writing ours."""

import os
import stat
from pathlib import Path
from tempfile import NamedTemporaryFile


def unreadable(path: str | Path) -> str | None:
    """Why this is not a readable file; None if it is. Opens no pipe, which could block forever."""
    try:
        mode = Path(path).stat().st_mode
        if not stat.S_ISREG(mode):
            return (
                f"{path} is a directory" if stat.S_ISDIR(mode) else f"{path} is not a regular file"
            )
        Path(path).open("rb").close()
    except (FileNotFoundError, NotADirectoryError):
        return f"there is no file {path}"
    except OSError as error:
        return f"{path} cannot be read: {error.strerror}"
    except ValueError:
        return f"{str(path)!r} is not a path"
    return None


def not_text(path: str | Path) -> str | None:
    """Why this is not a readable text file; None if it is."""
    if wrong := unreadable(path):
        return wrong
    try:
        Path(path).read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        return f"{path} is not a text file: byte {error.start} is not UTF-8"
    return None


def wrong_private_key(path: str) -> str | None:
    """Why this is not an SSH private key; None if it is."""
    if wrong := not_text(path):
        return wrong
    first, *_ = Path(path).read_text(encoding="utf-8").splitlines() or [""]
    if first.startswith("-----BEGIN ") and first.endswith(" PRIVATE KEY-----"):
        return None
    advice = f": use the private one, {path.removesuffix('.pub')}" * path.endswith(".pub")
    return f"{path} is not a private key in ssh-keygen's format{advice}"


def wrong_certificates(path: str) -> str | None:
    """Why this is not a bundle of certificates; None if it is."""
    if wrong := not_text(path):
        return wrong
    if "-----BEGIN CERTIFICATE-----" in Path(path).read_text(encoding="utf-8"):
        return None
    return f"{path} contains no PEM certificate (-----BEGIN CERTIFICATE-----)"


def write_whole(path: Path, text: str, mode: int = 0o644) -> None:
    """Replaces the file with this text, or leaves it if that fails or is interrupted."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with NamedTemporaryFile("w", dir=path.parent, prefix=".new-", delete=False) as new:
        try:
            new.write(text)
            new.flush()
            os.fchmod(new.fileno(), mode)
            Path(new.name).replace(path)
        except BaseException:
            Path(new.name).unlink()
            raise
