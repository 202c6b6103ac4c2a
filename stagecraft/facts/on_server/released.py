"""Prints what is in sites' directories and was not released: files that differ from the list that a
release left of itself, files of a release without a list, and programs in the storage, where sites
keep data. Site, kind and path, NUL-terminated, as base64. Its arguments are sites' names and homes.

Runs on the server, with nothing but Python's own modules."""

import hashlib
import json
import os
import re
import sys
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path

CONTENTS = "/var/lib/stagecraft/sites/{site}/contents/{release}.json"
RECORDS = "/var/lib/stagecraft/sites/{site}/releases"
PLACEHOLDER = "placeholder"
MANY = 20
"""Of each site and kind: a site can create thousands of files in its storage."""

PROGRAM = re.compile(
    r"\.(?:ph(?:p\d?|tml?|ar|ps)|inc|so|sh|pl|py|cgi)$|^\.(?:user\.ini|htaccess)$", re.IGNORECASE
)
ENDS_VIEWS, LONGEST_END = b"ENDPATH**/", 200
"""Laravel names the template at the end of each view that it compiles."""

COMPILED_VIEWS = "framework/views"


def walk(top: Path) -> Iterator[Path]:
    """Every file and link below the directory."""
    return (path for path in top.rglob("*") if path.is_symlink() or not path.is_dir())


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
    """Nobody can set a ctime back, so a file is read only if it changed since its list was made."""
    listed, since = json.loads(contents.read_text()), contents.stat().st_ctime
    left = set(listed)
    for path in walk(release):
        name = str(path.relative_to(release))
        left.discard(name)
        if name not in listed:
            yield "added", path
        elif path.lstat().st_ctime > since and mark(path) != listed[name]:
            yield "changed", path
    yield from (("missing", release / name) for name in sorted(left))


def stored(home: Path) -> Iterator[tuple[str, Path]]:
    storage = home / "shared/storage"
    for path in walk(storage):
        if path.is_symlink():
            if not Path(os.path.realpath(path)).is_relative_to(storage):
                yield "link out", path
        elif path.is_relative_to(storage / COMPILED_VIEWS):
            if path.suffix == ".php" and ENDS_VIEWS not in path.read_bytes()[-LONGEST_END:]:
                yield "program", path
        elif PROGRAM.search(path.name) or path.lstat().st_mode & 0o111:
            yield "program", path


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
