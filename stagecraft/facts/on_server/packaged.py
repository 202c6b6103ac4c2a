"""Prints what packages' files and directories have that packages rarely give them: another owner
than root, rights for others to write, setuid, ACL entries, capabilities, the immutable bit; and
compiled Python that is not what its source says; attributes that `ls` does not show, of any file of
configuration; files where packages have links; and what was changed in dpkg's own records. Path,
kind and value, NUL-terminated, as base64.

Without the argument `full`, it compares only bytecode that changed since the hour in which dpkg
unpacked its package: packages compile their sources then, and nobody can set a ctime back.

Runs on the server, with nothing but Python's own modules."""

import marshal
import os
import re
import stat
import sys
import time
from base64 import b64encode
from collections.abc import Iterator
from fcntl import ioctl
from grp import getgrgid
from math import inf
from pathlib import Path
from pwd import getpwuid
from types import CodeType

INFO = Path("/var/lib/dpkg/info")
MERGED = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")
"""Directories that are links into /usr; packages name either."""

ATTRIBUTES = {
    "security.capability": "capability",
    "system.posix_acl_access": "acl",
    "system.posix_acl_default": "default acl",
}
AN_HOUR, A_MINUTE = 60 * 60, 60
A_DAY = 24 * AN_HOUR
ENABLED = Path("/var/lib/systemd/deb-systemd-helper-enabled")
UNITS = Path("/etc/systemd/system")
ROTATED = Path("/var/lib/logrotate/status")
STAMPS = ("var/lib/apt/periodic/*", "var/lib/systemd/timers/*")
AT_MOST = {
    "/root": 0o700,
    "/etc/ssl/private": 0o710,
    "/etc/sudoers": 0o440,
    "/etc/sudoers.d": 0o755,
}
"""The rights of what packages close to others."""

CONFIGURATION = ("/etc", "/root", "/usr/local", "/boot", "/opt", "/srv")
"""What no package has is looked at here."""

RECORDS = ("md5sums", "preinst", "postinst", "prerm", "postrm", "triggers")
GET_FLAGS, IMMUTABLE, APPEND_ONLY = 0x80086601, 0x10, 0x20


def in_packages() -> dict[str, float]:
    """When the latest package that has the path was unpacked."""
    paths: dict[str, float] = {}
    for listed in sorted(INFO.glob("*.list"), key=unpacked):
        paths.update(dict.fromkeys(map(where, read(listed).split("\n")), unpacked(listed)))
    return {path: when for path, when in paths.items() if path not in ("", "/.")}


def unpacked(listed: Path) -> float:
    return listed.stat().st_mtime


def where(path: str) -> str:
    return f"/usr{path}" if path.split("/", 2)[1:2] and path.split("/", 2)[1] in MERGED else path


def read(path: Path) -> str:
    return path.read_text(errors="surrogateescape")


def oddities(path: str) -> Iterator[tuple[str, str]]:
    try:
        status = os.lstat(path)
    except OSError:  # another check reports what is missing
        return
    mode = status.st_mode
    if status.st_uid or status.st_gid:
        yield "owner", f"{user(status.st_uid)}:{group(status.st_gid)}"
    if stat.S_ISLNK(mode):
        return
    if mode & 0o7022:
        yield "mode", f"{stat.S_IMODE(mode):o}"
    if mode & 0o777 & ~AT_MOST.get(path, 0o777):
        yield "open", f"{stat.S_IMODE(mode):o} instead of {AT_MOST[path]:o}"
    yield from hidden(path, mode)


def hidden(path: str, mode: int) -> Iterator[tuple[str, str]]:
    for name in os.listxattr(path):
        if name in ATTRIBUTES:
            yield ATTRIBUTES[name], ""
        elif name.startswith("user."):
            yield "user attribute", name
    if stat.S_ISREG(mode) or stat.S_ISDIR(mode):
        yield from flags(path)


def flags(path: str) -> Iterator[tuple[str, str]]:
    """Not every file system has these."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
    except OSError:
        return
    try:
        found = int.from_bytes(ioctl(descriptor, GET_FLAGS, bytes(8))[:4], sys.byteorder)
    except OSError:
        return
    finally:
        os.close(descriptor)
    if set_flags := "i" * bool(found & IMMUTABLE) + "a" * bool(found & APPEND_ONLY):
        yield "attributes", set_flags


def user(uid: int) -> str:
    try:
        return getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def group(gid: int) -> str:
    try:
        return getgrgid(gid).gr_name
    except KeyError:
        return str(gid)


def compiled() -> Iterator[Path]:
    """Bytecode of packaged sources that may have changed, by this Python: no other runs it."""
    for directory in sorted({str(Path(path).parent) for path in packaged if path.endswith(".py")}):
        for path in Path(directory, "__pycache__").glob(f"*.{sys.implementation.cache_tag}*"):
            since = packaged.get(str(source_of(path)), inf)
            if since < inf and (full or path.lstat().st_ctime > since + AN_HOUR):
                yield path


def source_of(bytecode: Path) -> Path:
    return bytecode.parent.parent / f"{bytecode.name.partition('.')[0]}.py"


def is_its_source_s(bytecode: Path) -> bool:
    """Whether it has the code that Python compiles from its source."""
    level = re.search(r"\.opt-(\d)\.pyc$", bytecode.name)
    source = source_of(bytecode)
    try:
        wanted = compile(
            source.read_bytes(), str(source), "exec", dont_inherit=True,
            optimize=int(level[1]) if level else 0,
        )  # fmt: skip
        found = marshal.loads(bytecode.read_bytes()[16:])  # noqa: S302 (root would run it)
    except (OSError, SyntaxError, ValueError, EOFError, TypeError):
        return False
    return isinstance(found, CodeType) and found == wanted


def of_no_package() -> Iterator[str]:
    for top in CONFIGURATION:
        for directory, names, others in os.walk(top):
            for path in (f"{directory}/{name}" for name in [*names, *others]):
                if path not in packaged and not Path(path).is_symlink():
                    yield path


def records() -> Iterator[tuple[str, str, str]]:
    """dpkg writes what it knows of a package when it unpacks it, and not again; of one that was
    removed and has configuration left it keeps the list and a script."""
    since = {listed.stem: listed.stat().st_ctime for listed in INFO.glob("*.list")}
    removed = since.keys() - {sums.stem for sums in INFO.glob("*.md5sums")}
    for kind in RECORDS:
        for path in INFO.glob(f"*.{kind}"):
            late = abs(path.lstat().st_ctime - since.get(path.stem, 0)) > A_MINUTE
            if late and path.stem not in removed:
                yield str(path), "record", ""
    lines = iter(read(Path("/var/lib/dpkg/diversions")).split("\n"))
    for diverted, elsewhere, package in zip(lines, lines, lines, strict=False):
        if package == ":":
            yield diverted, "diverted", elsewhere


def instead_of_links() -> Iterator[tuple[str, str, str]]:
    """Files where packages have links: a package that lists sums has one of every file."""
    with_sums = list(INFO.glob("*.md5sums"))
    summed = {where(f"/{line[34:]}") for path in with_sums for line in lines(path)}
    for package in with_sums:
        for path in map(where, lines(package.with_suffix(".list"))):
            linked = path.startswith("/usr/") and path not in summed
            if linked and stat.S_ISREG(mode_of(path)):
                yield path, "instead of a link", package.stem


def lines(path: Path) -> list[str]:
    return read(path).split("\n")


def mode_of(path: str) -> int:
    """0 if it is missing."""
    try:
        return os.lstat(path).st_mode
    except OSError:
        return 0


def disabled() -> Iterator[tuple[str, str, str]]:
    """Links by which packages have their units start, and which are gone."""
    for path in ENABLED.rglob("*"):
        link = UNITS / path.relative_to(ENABLED)
        if path.is_file() and not path.name.endswith(".dsh-also") and not os.path.lexists(link):
            yield str(link), "disabled", path.name


def ahead() -> Iterator[tuple[str, str, str]]:
    """Stamps of a time to come, because of which a job waits until then, and the command that ends
    that."""
    for pattern in STAMPS:
        for path in Path("/").glob(pattern):
            if path.stat().st_mtime > time.time() + A_DAY:
                yield str(path), "ahead", "touch"
    tomorrow = time.localtime(time.time() + A_DAY)
    for line in read(ROTATED).split("\n") if ROTATED.is_file() else ():
        said = re.search(r'" (\d+)-(\d+)-(\d+)', line)
        if said and tuple(map(int, said.groups())) > tomorrow[:3]:
            yield str(ROTATED), "ahead", "rm"


full = "full" in sys.argv[1:]
packaged = in_packages()
rows = [(path, kind, value) for path in sorted(packaged) for kind, value in oddities(path)]
rows += [(str(path), "compiled", "") for path in compiled() if not is_its_source_s(path)]
rows += [
    (path, kind, value)
    for path in of_no_package()
    for kind, value in hidden(path, Path(path).lstat().st_mode)
]
rows += [*records(), *instead_of_links(), *disabled(), *dict.fromkeys(ahead())]
text = "".join(f"{word}\0" for row in rows for word in row)
sys.stdout.write(b64encode(text.encode("utf-8", "surrogateescape")).decode())
