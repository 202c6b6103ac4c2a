"""From an archive to a release that root owns."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from stagecraft.on_server import sandbox
from stagecraft.on_server.log import Log
from stagecraft.on_server.site import Failed, Site
from stagecraft.on_server.storage import Storage

UNPACK = r"""
umask 027
tar --no-same-owner --no-same-permissions -xzf -
rm -rf .env storage public/storage
ln -s ../../shared/.env .env
ln -s ../../shared/storage storage
printf '%s\n' "$1" >REVISION
shift
for path; do
    rm -rf "public/$path"
    mkdir -p "public/$path"
    rmdir "public/$path"
    ln -s "$SHARED/$path" "public/$path"
done
"""

BUILD_LIMITS = ["TasksMax=1024", "LimitNOFILE=65536", "MemoryMax=75%"]


class Build:
    """The release before it is one: a directory that only root reaches, which the site's user sees
    at the release's final path while it builds."""

    def __init__(self, site: Site, release: str) -> None:
        self.site = site
        self.final = site.releases / release
        self.path = site.builds / release

    def unpack(self, archive: Path, commit: str, log: Log) -> None:
        self.path.mkdir()
        shutil.chown(self.path, self.site.name, self.site.name)
        shared = self.site.home / "shared/storage/public"
        words = ["sh", "-euc", UNPACK, "unpack", commit, *self.site.shared]
        with archive.open("rb") as file:
            try:
                self._run(words, log, [f"Environment=SHARED={shared}"], file.fileno())
            except Failed:
                raise Failed("the archive could not be unpacked, as shown above") from None

    def build(self, log: Log) -> None:
        """Runs the site's build commands one after the other."""
        storage = Storage(self.site, self.final.name)
        properties = [
            *storage.with_views(),
            "Environment=HOME=/tmp COMPOSER_NO_INTERACTION=1 CI=1",
        ]
        for command in [*self.site.build, *self.site.configure]:
            log.say(f"  $ {command}")
            try:
                words = ["sh", "-euc", f"umask 027; {storage.made}; {command}"]
                self._run(words, log, properties)
            except Failed:
                raise Failed(f"the build command `{command}` failed") from None

    def hand_over(self) -> None:
        """Gives it to root, who alone can change it from here on; nginx may read public/. No
        process of the site's user is left here, or can reach it.

        Raises Failed for links that lead out of the release, because nginx and PHP would follow
        them, and for pipes and the like, which nginx would wait at.
        """
        if special := [path for path in self._paths() if not is_ordinary(path)]:
            raise Failed(f"{self._named(special[0])} is neither a file nor a directory nor a link")
        if out := self._leading_out():
            raise Failed(f"these links lead out of the release: {', '.join(out)}")
        call("chown", "-hR", f"root:{self.site.name}", self.path)
        call("chmod", "-R", "u=rwX,g=rX,o=", self.path)
        call("setfacl", "-m", "u:www-data:x", self.path)
        if (self.path / "public").is_dir():
            call("setfacl", "-RP", "-m", "u:www-data:rX", self.path / "public")

    def place(self) -> None:
        """Moves it to where the site's user can read it. A directory that is empty is there
        already, for the sandbox."""
        self.path.rename(self.final)

    def remove(self) -> None:
        shutil.rmtree(self.path, ignore_errors=True)

    def _run(
        self, words: list[str], log: Log, properties: list[str], stdin: int = subprocess.DEVNULL
    ) -> None:
        self.final.mkdir(exist_ok=True, mode=0o750)
        places = [f"BindPaths={self.path}:{self.final}", f"WorkingDirectory={self.final}"]
        own = [*places, *sandbox.OWN, *BUILD_LIMITS, *properties]
        sandbox.run(self.site, words, log, own, stdin)

    def _leading_out(self) -> list[str]:
        ours = {".env", "storage", *(f"public/{path}" for path in self.site.shared)}
        root = os.path.realpath(self.path)
        return [
            f"{self._named(path)} -> {path.readlink()}"
            for path in self._paths()
            if path.is_symlink()
            and self._named(path) not in ours
            and not Path(os.path.realpath(path)).is_relative_to(root)
        ]

    def _paths(self) -> Iterator[Path]:
        for directory, directories, files in os.walk(self.path):
            yield from (Path(directory, name) for name in [*directories, *files])

    def _named(self, path: Path) -> str:
        return str(path.relative_to(self.path))


def is_ordinary(path: Path) -> bool:
    return path.is_symlink() or path.is_file() or path.is_dir()


def call(*words: str | Path) -> None:
    subprocess.run(words, check=True)
