"""A release's cached configuration is built from .env, and again when that changes."""

import shutil
from pathlib import Path

from stagecraft.on_server import sandbox
from stagecraft.on_server.build import call, remove
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
    """Builds it in a copy, whose files root copies into the old ones' places, each atomically."""
    copy, cache, storage = site.builds / CACHE.name, release / CACHE, Storage(site, release.name)
    remove(copy)
    copy.mkdir(parents=True)
    for file in ordinary(cache):
        shutil.copyfile(file, copy / file.name)
    call("chown", "-R", f"{site.name}:{site.name}", copy)
    for command in site.configure:
        log.say(f"  $ {command}")
        properties = [f"BindPaths={copy}:{cache}", f"WorkingDirectory={release}"]
        properties += [*storage.empty, storage.own_views, *sandbox.OWN]
        sandbox.run(site, ["sh", "-euc", f"{storage.made}; {command}"], log, properties)
    for file in ordinary(copy):
        new = cache / f".{file.name}.new"
        shutil.copyfile(file, new, follow_symlinks=False)
        shutil.chown(new, "root", site.name)
        new.chmod(0o640)
        new.replace(cache / file.name)
    remove(copy)
    cache.touch()


def ordinary(directory: Path) -> list[Path]:
    """The files of the directory that are no links, and that can be read at once."""
    return [path for path in directory.iterdir() if path.is_file() and not path.is_symlink()]
