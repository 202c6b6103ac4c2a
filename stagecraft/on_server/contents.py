"""What a release's files are when it begins to serve, so that later changes of them are noticed."""

import hashlib
from pathlib import Path

from stagecraft.on_server import files
from stagecraft.on_server.site import Site


def note(site: Site, release: str) -> None:
    """Records each file's SHA-256 and each link's target, by its path in the release."""
    top = site.releases / release
    found = {str(path.relative_to(top)): mark(path) for path in top.rglob("*") if is_content(path)}
    files.write_json(path_of(site, release), found)


def forget(site: Site, release: str) -> None:
    path_of(site, release).unlink(missing_ok=True)


def path_of(site: Site, release: str) -> Path:
    return site.state / "contents" / f"{release}.json"


def is_content(path: Path) -> bool:
    return path.is_symlink() or not path.is_dir()


def mark(path: Path) -> str:
    if path.is_symlink():
        return f"-> {path.readlink()}"
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
