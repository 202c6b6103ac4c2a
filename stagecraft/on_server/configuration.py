"""A release's cached configuration is built from .env, and again when that changes."""

import shutil
from pathlib import Path

from stagecraft.on_server import sandbox
from stagecraft.on_server.build import call, copy_files, remove, to_disk
from stagecraft.on_server.log import Log
from stagecraft.on_server.site import Site
from stagecraft.on_server.storage import Storage

CACHE = Path("bootstrap/cache")


def stale(site: Site, release: Path) -> bool:
    """Whether .env has changed since the release's configuration was built."""
    cache = release / CACHE
    if not site.configure or not cache.is_dir():
        return False
    return (site.home / "shared/.env").stat().st_ctime > cache.stat().st_mtime


def rebuild(site: Site, release: Path, log: Log) -> None:
    """Builds it in a copy. A copy of that, which is out of reach of the site's processes, replaces
    the old files, each atomically."""
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
    cache.touch()


def ordinary(directory: Path) -> list[Path]:
    """The files of the directory that are no links, and that can be read at once."""
    return [path for path in directory.iterdir() if path.is_file() and not path.is_symlink()]
