"""Prints what is in sites' directories and was not released: files that differ from the list that a
release left of itself, files of a release without a list, and programs in the storage, where sites
keep data. Site, kind and path, NUL-terminated, as base64. Its arguments are sites' names and homes.

Runs on the server, with nothing but Python's own modules."""

import hashlib
import json
import os
import stat
import subprocess
import sys
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path

CONTENTS = "/var/lib/stagecraft/sites/{site}/contents/{release}.json"
RECORDS = "/var/lib/stagecraft/sites/{site}/releases"
PLACEHOLDER = "placeholder"
MANY = 20
"""Of each site and kind: a site can create thousands of files in its storage."""

PROGRAM = (
    *("-regextype", "posix-extended", "-iregex"),
    r".*\.(ph(p[0-9]?|tml?|ar|ps)|inc|so|sh|pl|py|cgi)|.*/\.(user\.ini|htaccess)",
)
NAMES = ("!", "-type", "d", "-printf", r"%P\0")
BYTES = {"PATH": "/usr/bin:/bin", "LC_ALL": "C"}
"""Patterns match any name, even one that is no text."""

ENDS_VIEWS, LONGEST_END = b"ENDPATH**/", 200
"""Laravel names the template at the end of each view that it compiles."""

COMPILED_VIEWS = "framework/views"
CHUNK = 1 << 16


def listed_by_find(top: Path, *expression: str) -> Iterator[str]:
    """What `find` prints below the directory, in NUL-terminated words: it is fast with many files,
    and keeps its feet in directories that somebody moves meanwhile."""
    command = ["find", str(top), "-ignore_readdir_race", *expression]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=BYTES) as found:
        rest = b""
        while found.stdout and (chunk := found.stdout.read(CHUNK)):
            *words, rest = (rest + chunk).split(b"\0")
            yield from map(os.fsdecode, words)
    if found.returncode:
        sys.exit(f"find has not seen all of {top}")


def walk(top: Path, *expression: str) -> Iterator[Path]:
    """Every such file and link below the directory."""
    return (top / name for name in listed_by_find(top, *expression, *NAMES))


def mark(path: Path) -> str:
    if path.is_symlink():
        return f"-> {path.readlink()}"
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def released(site: str, home: Path) -> Iterator[tuple[str, Path]]:
    current, records = home / "current", list(Path(RECORDS.format(site=site)).glob("*.json"))
    known = {PLACEHOLDER, *(record.stem for record in records)}
    if records and (not current.is_symlink() or current.readlink().name not in known):
        yield "by hand", current
    for release in sorted((home / "releases").glob("*")):
        contents = Path(CONTENTS.format(site=site, release=release.name))
        if release.name == PLACEHOLDER:
            yield from (("unlisted", path) for path in walk(release) if stays(path, release))
        elif contents.is_file() and release.is_dir() and not release.is_symlink():
            yield from differing(release, contents)


def stays(path: Path, release: Path) -> bool:
    """Not a link that leads out, which the plan reports."""
    return not path.is_symlink() or Path(os.path.realpath(path)).is_relative_to(release)


def differing(release: Path, contents: Path) -> Iterator[tuple[str, Path]]:
    """Nobody can set a ctime back, so what has not changed since its list was made is as it was:
    a directory has the same names, and a file need not be read."""
    since = ("-newercc", str(contents), "-printf", r"%y%P\0")
    changed = sorted((word[0], word[1:]) for word in listed_by_find(release, *since))
    if not changed:
        return
    listed, names = json.loads(contents.read_text()), {*listed_by_find(release, *NAMES)}
    yield from (("added", release / name) for name in sorted(names - listed.keys()))
    for kind, name in changed:
        if kind != "d" and name in listed and mark(release / name) != listed[name]:
            yield "changed", release / name
    yield from (("missing", release / name) for name in sorted(listed.keys() - names))


def stored(home: Path) -> Iterator[tuple[str, Path]]:
    storage = home / "shared/storage"
    if not storage.is_dir():  # the plan reports it
        return
    for path in walk(storage, "-type", "l"):
        if leads_out(path, storage):
            yield "link out", path
    for path in walk(storage, "-type", "f", "(", "-perm", "/111", "-o", *PROGRAM, ")"):
        compiled = path.is_relative_to(storage / COMPILED_VIEWS) and path.suffix == ".php"
        if not (compiled and is_a_view(path)):
            yield "program", path


def leads_out(link: Path, top: Path) -> bool:
    """By its own target alone: what it passes on the way is a link that is looked at itself. A `..`
    after another name could go up from wherever that leads."""
    try:
        target = link.readlink()
    except OSError:  # gone by now
        return False
    names = iter(target.parts)
    if any(name != ".." and ".." in names for name in names):
        return True
    return not Path(os.path.normpath(link.parent / target)).is_relative_to(top)


def is_a_view(path: Path) -> bool:
    """Reads no more than its end, whatever the site puts there meanwhile."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return False
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            return False
        file.seek(max(0, status.st_size - LONGEST_END))
        return ENDS_VIEWS in file.read(LONGEST_END)


rows: list[tuple[str, str, str]] = []
for site, home in zip(sys.argv[1::2], sys.argv[2::2], strict=True):
    for source in (released(site, Path(home)), stored(Path(home))):
        counts: dict[str, int] = {}
        for kind, path in source:
            counts[kind] = counts.get(kind, 0) + 1
            if counts[kind] <= MANY or kind == "unlisted":
                rows.append((site, kind, str(path)))
text = "".join(f"{word}\0" for row in rows for word in row)
sys.stdout.write(b64encode(text.encode("utf-8", "surrogateescape")).decode())
