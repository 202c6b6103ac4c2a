"""Files with a hash in their name, of all good releases: a page that was loaded before a switch
asks for them afterwards."""

import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from stagecraft.on_server import files
from stagecraft.on_server.build import remove
from stagecraft.on_server.releases import GOOD, WITHDRAWN, Releases
from stagecraft.on_server.site import Site

GROUP = "www-data"


def gather(site: Site) -> None:
    """Links them into a directory of root's, which takes the place of the one before. Where
    releases differ, it has the newest one's file."""
    current = site.home / "assets"
    new = site.home / f".assets-{1 - _number(current)}"
    remove(new)
    _directory(new)
    for release in reversed(Releases(site).all()):
        if release.state in (GOOD, WITHDRAWN):
            for path in site.assets:
                _link(Releases(site).path(release.id) / "public", path, new)
    files.link(current, new.name)
    remove(site.home / f".assets-{1 - _number(current)}")


def _number(current: Path) -> int:
    """Which of the two directories is in use."""
    return int(current.is_symlink() and current.readlink().name == ".assets-1")


def _link(public: Path, path: str, into: Path) -> None:
    for name in _ordinary(public, path):
        with suppress(FileExistsError, NotADirectoryError):  # a newer release's
            for directory in reversed(Path(name).parents[:-1]):
                _directory(into / directory)
            os.link(public / name, into / name, follow_symlinks=False)


def _ordinary(public: Path, path: str) -> Iterator[str]:
    """The files there, unless a link leads there: where the app writes, for instance."""
    if os.path.realpath(public / path) != f"{os.path.realpath(public)}/{path}":
        return
    for directory, _, names in os.walk(public / path):
        for name in names:
            found = Path(directory, name)
            if found.is_file() and not found.is_symlink():
                yield str(found.relative_to(public))


def _directory(path: Path) -> None:
    if not path.is_dir():
        path.mkdir(mode=0o700)
        shutil.chown(path, "root", GROUP)
        path.chmod(0o710)
