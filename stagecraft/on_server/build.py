"""From an archive to a release that root owns."""

import os
import shutil
import subprocess
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from stagecraft.on_server import disk, sandbox
from stagecraft.on_server.log import Log
from stagecraft.on_server.site import Failed, Site
from stagecraft.on_server.storage import Storage

UNPACK = r"""
umask 027
export LC_ALL=C
gzip -dc | head -c "$MOST" | tar --no-same-owner --no-same-permissions -xf -
rm -rf .env storage public/storage REVISION
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


class Complaints(Log):
    """Notes whether tar has changed a path, so that it does not lead out of the release."""

    def __init__(self, log: Log) -> None:
        self.stripped = False
        self._log = log

    def output(self, line: bytes) -> None:
        self.stripped |= line.startswith(b"tar: Removing leading")
        self._log.output(line)


class Build:
    """The release before it is one: a directory that only root reaches, which the site's user sees
    at the release's final path while it builds."""

    def __init__(self, site: Site, release: str) -> None:
        self.site = site
        self.final = site.releases / release
        self.path = site.builds / release
        self.copy = site.builds / f"{release}.copy"

    def unpack(self, archive: Path, commit: str, log: Log) -> None:
        self.path.mkdir()
        shutil.chown(self.path, self.site.name, self.site.name)
        shared = self.site.home / "shared/storage/public"
        most = disk.spare(self.site.builds) // 2  # hand_over makes a copy
        words = ["bash", "-euo", "pipefail", "-c", UNPACK, "unpack", commit, *self.site.shared]
        properties = [f"Environment=SHARED={shared} MOST={most}"]
        said = Complaints(log)
        problem = (
            f"the archive could not be unpacked, as shown above ({most // 10**6} MB would fit)"
        )
        with archive.open("rb") as file:
            self._run(words, said, problem, properties, file.fileno())
        if said.stripped:
            raise Failed("the archive has paths that lead out of the release, as shown above")

    def build(self, commands: Sequence[str], log: Log) -> None:
        """Runs the commands one after the other."""
        for command in commands:
            log.say(f"  $ {command}")
            self.run(command, log, f"the build command `{command}` failed")

    def run(self, command: str, log: Log, problem: str, properties: Sequence[str] = ()) -> None:
        """One command, which may change the release. Raises Failed with the problem."""
        storage = Storage(self.site, self.final.name)
        environment = "Environment=HOME=/tmp COMPOSER_NO_INTERACTION=1 CI=1"
        script = f"umask 027; {storage.made}; {{ {command}\n}}; {storage.kept_views}"
        own = [*storage.empty, storage.own_views, environment, *properties]
        self._run(["sh", "-euc", script], log, problem, own)

    def hand_over(self) -> None:
        """Makes root's copy, which root alone can change; nginx may read public/. The site's
        processes may still have files of the original open.

        Raises Failed for links that lead out of the release, because nginx and PHP would follow
        them, and for pipes and the like, which nginx would wait at.
        """
        size = disk.size(self.path)
        if size > disk.spare(self.site.builds):
            raise disk.Full(f"the release's {size // 10**6} MB would fill the server's disk")
        copy_files(self.path, self.copy)
        remove(self.path)
        if disk.size(self.copy) > size:
            raise Failed("its files have grown after the build")
        self._refuse_deep()
        if special := find(self.copy, "!", "-type", "f", "!", "-type", "d", "!", "-type", "l"):
            raise Failed(f"{special[0]} is neither a file nor a directory nor a link")
        for name, target in self._ours().items():
            if not (self.copy / name).is_symlink() or str((self.copy / name).readlink()) != target:
                raise Failed(f"the build has put something else in the place of the link {name}")
        if out := self._leading_out():
            raise Failed(f"these links lead out of the release: {', '.join(out[:10])}")
        call("chown", "-hR", f"root:{self.site.name}", self.copy)
        call("chmod", "-R", "u=rwX,g=rX,o=", self.copy)
        call("setfacl", "-m", "u:www-data:x", self.copy)
        if (self.copy / "public").is_dir():
            call("setfacl", "-RP", "-m", "u:www-data:rX", self.copy / "public")

    def place(self) -> None:
        """Moves it to where the site's user can read it. A directory that is empty is there
        already, for the sandbox."""
        self.copy.rename(self.final)

    def _run(
        self,
        words: list[str],
        log: Log,
        problem: str,
        properties: list[str],
        stdin: int = subprocess.DEVNULL,
    ) -> None:
        self.final.mkdir(exist_ok=True, mode=0o750)
        places = [f"BindPaths={self.path}:{self.final}", f"WorkingDirectory={self.final}"]
        own = [*places, *sandbox.OWN, *properties]
        watch = partial(disk.refuse_full, self.site.builds)
        try:
            sandbox.run(self.site, words, log, own, stdin, watch)
        except disk.Full:
            raise
        except Failed:
            raise Failed(problem) from None

    def _ours(self) -> dict[str, str]:
        """The links that unpacking has made, and their targets."""
        shared = self.site.home / "shared/storage/public"
        return {
            ".env": "../../shared/.env",
            "storage": "../../shared/storage",
            **{f"public/{path}": f"{shared}/{path}" for path in self.site.shared},
        }

    def _leading_out(self) -> list[str]:
        root, ours = os.path.realpath(self.copy), self._ours()
        return [
            f"{name} -> {(self.copy / name).readlink()}"
            for name in find(self.copy, "-type", "l")
            if name not in ours
            and not Path(os.path.realpath(self.copy / name)).is_relative_to(root)
        ]

    def _refuse_deep(self) -> None:
        """Raises Failed for what many programs could not walk through."""
        if find(self.copy, "-mindepth", str(DEEPEST), "-prune"):
            raise Failed(f"its directories are nested more than {DEEPEST} deep")
        longer = f".{{{LONGEST + 1},}}"
        if find(self.copy, "-regextype", "posix-extended", "-regex", longer, "-prune"):
            raise Failed(f"it has paths of more than {LONGEST} characters")


DEEPEST = 100
LONGEST = 2000
"""Characters of a path: of more than twice that, nothing would tell us where it leads."""


def find(directory: Path, *tests: str) -> list[str]:
    """The paths below the directory, relative to it."""
    command = ["find", str(directory), *tests, "-printf", "%P\\0"]
    bytewise = {**os.environ, "LC_ALL": "C"}
    output = subprocess.run(command, check=True, capture_output=True, env=bytewise).stdout
    return [os.fsdecode(path) for path in output.split(b"\0") if path]


def copy_files(source: Path, target: Path) -> None:
    """With tar, which does not wait for a process that holds a lease on a file."""
    target.mkdir(mode=0o700)
    pipe = 'tar -C "$1" -cSf - . | tar -C "$2" --no-same-owner -xpf -'
    call("bash", "-o", "pipefail", "-c", pipe, "copy", source, target)


def remove(path: Path) -> None:
    """However deep its directories are."""
    call("rm", "-rf", "--", path)


def remove_builds(site: Site) -> None:
    """And what their steps had in /tmp."""
    for left in site.builds.glob("*"):
        remove(left)


def to_disk(*directories: Path) -> None:
    """Has all that was written to their file systems survive a power cut: a name may reach the disk
    before its file's contents do."""
    call("sync", "--file-system", *directories)


def call(*words: str | Path) -> None:
    """Raises Failed with what the program complains of."""
    done = subprocess.run(words, capture_output=True)
    if done.returncode:
        complaint = done.stderr[:500].decode(errors="replace").strip()
        raise Failed(f"{words[0]} failed: {complaint}")
