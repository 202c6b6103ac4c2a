"""A release's cached configuration is built from .env, and again when that changes."""

import os
import shutil
from pathlib import Path

from stagecraft.on_server import sandbox
from stagecraft.on_server.build import call, copy_files, remove, to_disk
from stagecraft.on_server.log import Log
from stagecraft.on_server.site import Site
from stagecraft.on_server.storage import Storage

CACHE = Path("bootstrap/cache")


def changed(site: Site) -> int:
    """When .env was changed last (ctime), in nanoseconds."""
    return (site.home / "shared/.env").stat().st_ctime_ns


def note(release: Path, moment: int) -> None:
    """Notes in the file system which .env the release's configuration was built from."""
    if (cache := release / CACHE).is_dir():
        os.utime(cache, ns=(moment, moment))


def stale(site: Site, release: Path) -> bool:
    """Whether the release's configuration was built from another .env. Clocks may go back, and a
    build may date its files as it likes, so no two times are compared for which was first."""
    cache = release / CACHE
    if not site.configure or not cache.is_dir():
        return False
    return changed(site) != cache.stat().st_mtime_ns


def rebuild(site: Site, release: Path, log: Log) -> None:
    """Builds it in a copy. A copy of that, which is out of reach of the site's processes, replaces
    the old files, each atomically."""
    moment = changed(site)
    built, copied = site.builds / "cache", site.builds / "cache.copy"
    cache, storage = release / CACHE, Storage(site, release.name)
    remove(built)
    remove(copied)
    built.mkdir(parents=True)
    for file in ordinary(cache):
        shutil.copyfile(file, built / file.name)
    call("chown", "-R", f"{site.name}:{site.name}", built)
    for command in site.configure:
        log.say(f"  $ {command}")
        properties = [f"BindPaths={built}:{cache}", f"WorkingDirectory={release}"]
        properties += [*storage.empty, storage.own_views, *sandbox.OWN]
        sandbox.run(site, ["sh", "-euc", f"{storage.made}; {command}"], log, properties)
    copy_files(built, copied)
    to_disk(copied)
    for file in ordinary(copied):
        shutil.chown(file, "root", site.name)
        file.chmod(0o640)
        file.replace(cache / file.name)
    remove(built)
    remove(copied)
    note(release, moment)


def ordinary(directory: Path) -> list[Path]:
    """The files of the directory that are no links, and that can be read at once."""
    return [path for path in directory.iterdir() if path.is_file() and not path.is_symlink()]
