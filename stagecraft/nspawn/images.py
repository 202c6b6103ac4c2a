"""What servers are unpacked from: a base system per suite, and the packages fetched so far.

Both live in the user's cache and are shared by every clone of the repository. Every file appears
there by rename, whole or not at all, so servers never wait for each other to read it.
"""

import functools
import logging
import os
import shutil
import time
from pathlib import Path

from stagecraft.nspawn.commands import run
from stagecraft.nspawn.errors import NspawnError
from stagecraft.nspawn.locked import locked

log = logging.getLogger(__name__)

SUITES = ("trixie", "bookworm")

# What a provider's image has beyond Debian's minimum; no python3, sudo or curl on purpose.
PACKAGES = ("systemd", "systemd-sysv", "dbus", "openssh-server", "iproute2", "ca-certificates")

# Seconds. Older lists name package versions that mirrors have dropped by then.
FRESH = 7 * 24 * 60 * 60

ARCHIVES = "var/cache/apt/archives"


def unpack(suite: str, root: Path) -> None:
    """Ensures a new base system of the suite in the empty directory `root`."""
    run("tar", "--extract", "--numeric-owner", "--file", str(base(suite)), "--directory", str(root))
    _keep_downloads(root)
    _give(_packages(suite), root / ARCHIVES)


def copy(image: Path, root: Path) -> None:
    """Ensures a copy of a saved tree in the directory `root`."""
    run("cp", "--archive", "--reflink=auto", f"{image}/.", str(root))


def harvest(suite: str, root: Path) -> None:
    """Ensures that the packages a server has downloaded are cached for the next one."""
    _give(root / ARCHIVES, _packages(suite))


def base(suite: str) -> Path:
    """The tar of the suite's base system, made or renewed first if it is older than a week."""
    if suite not in SUITES:
        raise NspawnError(f"unknown suite {suite!r}: choose one of {', '.join(SUITES)}")
    tar = _cached(suite, ".tar")
    with locked(_cached(suite, ".lock")):
        if not _fresh(tar):
            _renew(suite, tar)
    return tar


def _fresh(tar: Path) -> bool:
    return tar.exists() and time.time() - tar.stat().st_mtime < FRESH


def _renew(suite: str, tar: Path) -> None:
    log.info("Making a base system of %s (once a week, about 30 s)", suite)
    partial = tar.with_suffix(".partial.tar")
    try:
        _mmdebstrap(suite, partial)
    except NspawnError as error:
        if not tar.exists():
            raise
        log.warning("Keeping the old base system of %s: %s", suite, error)
        return
    partial.replace(tar)
    # Packages that the new lists no longer name would pile up for ever.
    shutil.rmtree(_packages(suite), ignore_errors=True)


def _mmdebstrap(suite: str, tar: Path) -> None:
    run(
        "mmdebstrap",
        "--quiet",
        "--variant=minbase",
        f"--include={','.join(PACKAGES)}",
        # With the lists in place a new server needs no update before it can plan or install.
        "--skip=cleanup/apt/lists",
        suite,
        str(tar),
    )


def _keep_downloads(root: Path) -> None:
    """Ensures that neither `apt` nor `apt-get` deletes a package once it is installed."""
    (root / "etc/apt/apt.conf.d/90keep-downloads").write_text(
        'APT::Keep-Downloaded-Packages "true";\n'
        'Binary::apt::APT::Keep-Downloaded-Packages "true";\n'
    )


def _give(source: Path, destination: Path) -> None:
    """Ensures that every package of `source` is in `destination` too."""
    destination.mkdir(parents=True, exist_ok=True)
    for package in source.glob("*.deb"):
        _link(package, destination / package.name)


def _link(source: Path, destination: Path) -> None:
    """Ensures a hard link, or a copy if the cache is on another file system."""
    try:
        destination.hardlink_to(source)
    except FileExistsError:
        return
    except OSError:
        partial = destination.with_name(f".{destination.name}.{os.getpid()}")
        shutil.copy2(source, partial)
        partial.replace(destination)


def _packages(suite: str) -> Path:
    return _cached(suite, ".packages")


def _cached(suite: str, suffix: str) -> Path:
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "stagecraft"
    return cache / f"{suite}-{_architecture()}{suffix}"


@functools.cache
def _architecture() -> str:
    return run("dpkg", "--print-architecture").strip()
