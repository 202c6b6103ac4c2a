"""The storage that a release's code sees before it serves: empty, but for its compiled views."""

import os
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stagecraft.on_server import sandbox
from stagecraft.on_server.log import Log
from stagecraft.on_server.site import Site

VIEWS = "framework/views"
NEEDED = ("app/public", "framework/cache/data", "framework/sessions", VIEWS, "logs")


class Storage:
    """What the running site has written there could be meant to be read as code by what has more
    rights than the site."""

    def __init__(self, site: Site, release: str) -> None:
        self.site = site
        self.path = site.home / "shared/storage"
        self.views = self.path / VIEWS / release
        # systemd makes the places of mounts, which are root's: each parent of the views is a mount.
        parents = [self.path, self.path / "framework", self.path / VIEWS]
        self._empty = "TemporaryFileSystem=" + " ".join(
            f"{path}:mode=1777,size=256m" for path in parents
        )

    @property
    def made(self) -> str:
        """The shell command that makes the directories an app expects."""
        return shlex.join(["mkdir", "-p", *(f"{self.path}/{name}" for name in NEEDED)])

    @property
    def empty(self) -> list[str]:
        return [self._empty]

    def with_views(self) -> list[str]:
        """Views are compiled before the first visitors come: Laravel does not write them
        atomically, and each release has a directory of its own."""
        self._make_views()
        return [
            self._empty,
            f"BindPaths={self.views}",
            f"Environment=VIEW_COMPILED_PATH={self.views}",
        ]

    def _make_views(self) -> None:
        with directory(self.site.home / "shared", ["storage", *VIEWS.split("/")]) as views:
            name = self.views.name
            try:
                os.mkdir(name, 0o750, dir_fd=views)
            except FileExistsError:
                return
            owner = os.fstat(views)
            os.chown(name, owner.st_uid, owner.st_gid, dir_fd=views, follow_symlinks=False)


REMOVE_OTHERS = """
cd "$1"
for views in [0-9]*-[0-9]*-*/; do
    [ -d "$2/$views" ] || rm -rf -- "$views"
done
"""


def remove_other_views(site: Site, log: Log) -> None:
    """Removes those of releases that are gone: as the site's user, who could have put links in
    their place."""
    views = site.home / "shared/storage" / VIEWS
    words = ["sh", "-euc", REMOVE_OTHERS, "remove", str(views), str(site.releases)]
    sandbox.run(site, words, log, [f"ReadWritePaths={views}", *sandbox.OWN])


@contextmanager
def directory(top: Path, names: list[str]) -> Iterator[int]:
    """The directory that these names lead to, of which none may be a link. Raises OSError."""
    descriptor = os.open(top, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for name in names:
            inner = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=descriptor)
            os.close(descriptor)
            descriptor = inner
        yield descriptor
    finally:
        os.close(descriptor)
