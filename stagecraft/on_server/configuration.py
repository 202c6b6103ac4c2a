"""A release's cached configuration is built from .env, and again when that changes."""

import shutil
from pathlib import Path

from stagecraft.on_server import sandbox
from stagecraft.on_server.build import call
from stagecraft.on_server.log import Log
from stagecraft.on_server.site import Site
from stagecraft.on_server.storage import Storage

CACHE = "bootstrap/cache"


def stale(site: Site, release: Path) -> bool:
    """Whether .env has changed since the release's configuration was built."""
    cache = release / CACHE
    if not site.configure or not cache.is_dir():
        return False
    return (site.home / "shared/.env").stat().st_ctime > cache.stat().st_mtime


def rebuild(site: Site, release: Path, log: Log) -> None:
    """Builds it in a copy that takes the old one's place file by file, each atomically."""
    copy, cache = site.builds / "configuration", release / CACHE
    storage = Storage(site, release.name)
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(cache, copy)
    call("chown", "-hR", f"{site.name}:{site.name}", copy)
    properties = [
        f"BindPaths={copy}:{cache}",
        f"WorkingDirectory={release}",
        *storage.with_views(),
        *sandbox.OWN,
    ]
    for command in site.configure:
        log.say(f"  $ {command}")
        words = ["sh", "-euc", f"{storage.made}; {command}"]
        sandbox.run(site, words, log, properties)
    call("chown", "-hR", f"root:{site.name}", copy)
    call("chmod", "-R", "u=rwX,g=rX,o=", copy)
    for file in copy.iterdir():
        if file.is_file() and not file.is_symlink():
            file.replace(cache / file.name)
    shutil.rmtree(copy)
    cache.touch()
