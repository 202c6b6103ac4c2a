"""Prints what others than root own or can write to, in a checkout and in what it runs elsewhere:
kind of place, path, owner, mode and what leads there, NUL-terminated, as base64. Runs on the
machine with the checkout, with another Python than the checkout's, which cannot be trusted."""

import os
import re
import stat
import sys
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from pwd import getpwuid

HOPS = 40
"""The kernel gives up after as many links."""

OTHERS = (2, 4, 8, 32)
"""ACL entries of users, of groups and of others."""


def tree(where: str, top: str, leads: str = "") -> None:
    """Looks at the directory, everything below it, and the targets of links."""
    look(where, top, leads)
    for directory, names, files in os.walk(top):
        names[:] = [name for name in names if is_ours(directory, name)]
        for path in (f"{directory}/{name}" for name in [*names, *files]):
            look(where, path, leads)
            if Path(path).is_symlink():
                follow(path, str(Path(path).readlink()))


def is_ours(directory: str, name: str) -> bool:
    """Excludes throwaway servers, and the interpreter's modules for other programs."""
    if within(directory):
        return not (within(directory, ".stagecraft") and name.endswith("servers"))
    return name not in ("site-packages", "dist-packages")


def within(path: str, *below: str) -> bool:
    return f"{path}/".startswith("/".join([checkout, *below, ""]))


def follow(leads: str, target: str) -> None:
    """Looks at every step outside the checkout to the target that the file `leads` names."""
    path = str(Path(leads).parent / target)
    for step in steps(path):
        if not within(step):
            look("beyond", step, leads)
    real = os.path.realpath(path)
    if Path(real).is_dir() and not within(real) and real not in followed:
        followed.add(real)
        tree("beyond", real, leads)


def steps(path: str) -> Iterator[str]:
    """The directories and links on the way to the absolute path, and the path itself. If it is
    missing, the last step is the directory in which it could be created."""
    at, left, hops = "/", path.split("/")[::-1], 0
    yield at
    while left and hops < HOPS and os.path.lexists(at):
        at = os.path.normpath(Path(at, left.pop()))
        yield at
        if Path(at).is_symlink():
            hops += 1
            target = str(Path(at).readlink())
            left += target.split("/")[::-1]
            at = "/" if target.startswith("/") else str(Path(at).parent)


def look(where: str, path: str, leads: str = "") -> None:
    """Records the path, once, if others could change it."""
    try:
        status = os.lstat(path)
    except FileNotFoundError:
        return
    mode = stat.S_IMODE(status.st_mode)
    if status.st_uid or (mode & 0o022 and not stat.S_ISLNK(status.st_mode)):
        found.setdefault((path, f"{mode:o}"), (where, owner(status.st_uid), leads))
    if stat.S_ISDIR(status.st_mode) and grants_writing_by_default(path):
        found.setdefault((path, "default"), (where, owner(status.st_uid), leads))


def owner(uid: int) -> str:
    try:
        return getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def grants_writing_by_default(directory: str) -> bool:
    """Whether its default ACL makes new files writable for others."""
    try:
        acl = os.getxattr(directory, "system.posix_acl_default")
    except OSError:
        return False
    entries = (acl[start : start + 8] for start in range(4, len(acl), 8))
    return any(entry[0] in OTHERS and entry[2] & os.W_OK for entry in entries)


def imported(environment: Path) -> Iterator[tuple[str, str]]:
    """The files of a Python environment that import from elsewhere, and the paths they name."""
    for path in environment.glob("lib/python*/site-packages/*.pth"):
        for line in map(str.strip, read(path).splitlines()):
            if line and not line.startswith(("#", "import ", "import\t")):
                yield str(path), line
    for path in environment.glob("lib/python*/site-packages/__editable__*.py"):
        for place in re.findall(r"'(/[^'\n]+)'", read(path)):
            yield str(path), place
    for path in environment.glob("pyvenv.cfg"):
        settings = dict(re.findall(r"^([\w-]+) *= *(.*?) *$", read(path), re.MULTILINE))
        yield str(path), settings["home"]
        places = ["lib/python3*"]
        if settings.get("include-system-site-packages") == "true":
            places += ["lib/python3*/*-packages", "local/lib/python3*/*-packages"]
        for place in places:
            for library in Path(settings["home"]).resolve().parent.glob(place):
                yield str(path), str(library)


def read(path: Path) -> str:
    return path.read_text(errors="surrogateescape")


given = sys.argv[1]
checkout = os.path.realpath(given)
found: dict[tuple[str, str], tuple[str, str, str]] = {}
followed: set[str] = set()
for path in [*steps(checkout), *steps(given)]:
    if path != checkout:
        look("above", path)
tree("within", checkout)
for leads, target in imported(Path(checkout, ".venv")):
    follow(leads, target)
rows = ((where, path, who, mode, leads) for (path, mode), (where, who, leads) in found.items())
text = "".join(f"{word}\0" for row in rows for word in row)
sys.stdout.write(b64encode(text.encode("utf-8", "surrogateescape")).decode())
