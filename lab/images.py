"""What servers are unpacked from: a base system per suite, and the packages fetched so far.

Both live in the user's cache and are shared by every clone of the repository. Every file appears
there whole or not at all, so servers never wait for each other to read it.
"""

import functools
import hashlib
import logging
import os
import re
import shutil
import time
from contextlib import suppress
from pathlib import Path
from tempfile import NamedTemporaryFile

from lab import inside
from lab.commands import NspawnError, locked, run

log = logging.getLogger(__name__)

SUITES = ("trixie", "bookworm")

# What a provider's image has beyond Debian's minimum; no python3, sudo or curl on purpose.
PACKAGES = ("systemd", "systemd-sysv", "dbus", "openssh-server", "iproute2", "ca-certificates")

# Seconds. Older lists name package versions that mirrors have dropped by then.
FRESH = 7 * 24 * 60 * 60

ARCHIVES = "var/cache/apt/archives"

LISTED = re.compile(
    r"^Package: (.+)\n(?:.+\n)*?Version: (.+)\n(?:.+\n)*?Architecture: (.+)\n"
    r"(?:.+\n)*?SHA256: (.+)$",
    re.MULTILINE,
)
"""A package in apt's lists."""


def unpack(suite: str, root: Path) -> None:
    """Ensures a new base system of the suite in the empty directory `root`."""
    run("tar", "--extract", "--numeric-owner", "--file", str(base(suite)), "--directory", str(root))
    # Neither `apt` nor `apt-get` deletes a package once it is installed.
    (root / "etc/apt/apt.conf.d/90keep-downloads").write_text(
        'APT::Keep-Downloaded-Packages "true";\n'
        'Binary::apt::APT::Keep-Downloaded-Packages "true";\n'
    )
    # Copies: through hard links, the server could change what the next one installs.
    if packages := [str(package) for package in _packages(suite).glob("*.deb")]:
        run("cp", "--reflink=auto", f"--target-directory={root / ARCHIVES}", *packages)


def copy(image: Path, root: Path) -> None:
    """Ensures a copy of a saved tree in the directory `root`."""
    run("cp", "--archive", "--reflink=auto", f"{image}/.", str(root))


def harvest(suite: str, root: Path) -> None:
    """Ensures that the packages a server has downloaded are cached for the next one. Of a package
    that is there already apt looks at name and size alone, and the server's root could have put
    anything there: so only what the base system's lists name, which Debian signed."""
    cache = _packages(suite)
    new = [
        name
        for name in inside.names(root, ARCHIVES)
        if name.endswith(".deb") and not (cache / name).exists()
    ]
    for name in _checksums(suite).keys() & new if new else ():
        with inside.regular_file(root, f"{ARCHIVES}/{name}") as package:
            _keep(package, cache / name, _checksums(suite)[name])


def _keep(package: int, destination: Path, checksum: str) -> None:
    """Ensures a copy of what the descriptor reads, if it has this SHA-256: of the copy, which the
    server cannot change any more."""
    destination.parent.mkdir(parents=True, exist_ok=True)
    with NamedTemporaryFile(dir=destination.parent, prefix=".") as copy:
        with open(package, "rb", closefd=False) as source:
            shutil.copyfileobj(source, copy)
        copy.flush()
        copy.seek(0)
        if hashlib.file_digest(copy, "sha256").hexdigest() == checksum:
            os.fchmod(copy.fileno(), 0o644)
            with suppress(FileExistsError):
                destination.hardlink_to(copy.name)


@functools.cache
def _checksums(suite: str) -> dict[str, str]:
    """The SHA-256 of each package that the base system's lists name, by its name in apt's cache."""
    tar = _cached(suite, ".tar")
    if not tar.exists():
        return {}
    lists = "./var/lib/apt/lists/*_Packages"
    text = run("tar", "--extract", "--to-stdout", "--wildcards", "--file", str(tar), lists)
    return {
        f"{package}_{version.replace(':', '%3a')}_{architecture}.deb": checksum
        for package, version, architecture, checksum in LISTED.findall(text)
    }


def base(suite: str) -> Path:
    """The tar of the suite's base system, made or renewed first if it is older than a week."""
    if suite not in SUITES:
        raise NspawnError(f"unknown suite {suite!r}: choose one of {', '.join(SUITES)}")
    tar = _cached(suite, ".tar")
    with locked(_cached(suite, ".lock")):
        if not tar.exists() or time.time() - tar.stat().st_mtime >= FRESH:
            _renew(suite, tar)
    return tar


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
    # Packages that the new lists no longer name would pile up for ever, and an earlier version's,
    # which servers could change, do anyway.
    for packages in (_packages(suite), _cached(suite, ".packages")):
        shutil.rmtree(packages, ignore_errors=True)


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


def _packages(suite: str) -> Path:
    return _cached(suite, ".debs")


def _cached(suite: str, suffix: str) -> Path:
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "stagecraft"
    return cache / f"{suite}-{_architecture()}{suffix}"


@functools.cache
def _architecture() -> str:
    return run("dpkg", "--print-architecture").strip()
