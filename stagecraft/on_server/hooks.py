"""Commands of the site's own before and after a release's steps."""

import filecmp
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from stagecraft.on_server import sandbox
from stagecraft.on_server.build import Build
from stagecraft.on_server.log import Log
from stagecraft.on_server.site import Failed, Site
from stagecraft.on_server.storage import Storage

BUILDING = ("after_unpack", "before_build", "after_build")
"""These may still change the release."""

SERVING = (
    *("after_switch", "before_health", "after_health", "before_workers", "after_workers"),
    *("before_finish", "after_finish"),
)
"""These may write what the running site may."""

AFTERWARDS = "after_finish"
"""Nothing depends on it any more."""


class Hooks:
    """`before` is the release that ran when the action began."""

    def __init__(self, site: Site, verb: str, release: str, before: str) -> None:
        self.site = site
        self.verb = verb
        self.path = site.releases / release
        self.before = site.releases / before

    def at(self, place: str) -> Sequence[str]:
        return self.site.hooks.get(place, [])

    def run(self, place: str, log: Log) -> None:
        """Raises Failed for the first command that fails."""
        for command in self.at(place):
            log.say(f"  $ {command}")
            self._run(place, command, log, f"the hook `{command}` failed")

    def _run(self, place: str, command: str, log: Log, problem: str) -> None:
        about = [f"Environment=STAGECRAFT_ACTION={self.verb} STAGECRAFT_RELEASE={self.path.name}"]
        if place in BUILDING:
            Build(self.site, self.path.name).run(command, log, problem, about)
            return
        storage, made = Storage(self.site, self.path.name), ""
        properties = [f"WorkingDirectory={self.path}", storage.own_views, "Environment=HOME=/tmp"]
        if place in SERVING:
            properties += [f"ReadWritePaths={storage.path}"]
        else:
            properties += storage.empty
            made = f"{storage.made}; "
        words = ["sh", "-euc", f"{made}{command}"]
        with listed(changed(self.before / "public", self.path / "public")) as stdin:
            try:
                sandbox.run(self.site, words, log, [*properties, *about, *sandbox.OWN], stdin)
            except Failed:
                raise Failed(problem) from None


def changed(old: Path, new: Path) -> Iterator[str]:
    """The paths of what differs, as a URL has them. Both are root's; no link is followed."""
    before, after = set(below(old)), set(below(new))
    for name in sorted(before | after):
        if name not in before or name not in after or not same(old / name, new / name):
            yield quote(os.fsencode(f"/{name}"))


def below(directory: Path) -> Iterator[str]:
    """Files and links."""
    for path, directories, files in os.walk(directory):
        links = [name for name in directories if Path(path, name).is_symlink()]
        for name in [*files, *links]:
            yield str(Path(path, name).relative_to(directory))


def same(one: Path, other: Path) -> bool:
    if one.is_symlink() or other.is_symlink():
        return one.is_symlink() and other.is_symlink() and one.readlink() == other.readlink()
    return filecmp.cmp(one, other, shallow=False)


@contextmanager
def listed(lines: Iterator[str]) -> Iterator[int]:
    """A descriptor to read them from: of a file without a name, which root alone could write to."""
    with tempfile.TemporaryFile("w") as file:
        file.writelines(f"{line}\n" for line in lines)
        file.flush()
        with Path(f"/proc/self/fd/{file.fileno()}").open("rb") as reading:
            yield reading.fileno()
