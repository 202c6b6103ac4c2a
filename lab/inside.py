"""Files in a server's tree, reached from this machine.

Root in a container can put a link, a device or a pipe in the place of any file or directory of its
tree. So the kernel resolves each path within the tree, as the container itself sees it; a write
replaces what is there instead of opening it, and only regular files are read.
"""

import ctypes
import os
import stat
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path, PurePosixPath

from lab.commands import NspawnError

# openat2(2) and its struct open_how; Python has neither. The number is the same everywhere.
OPENAT2 = 437
RESOLVE = 0x02 | 0x10  # RESOLVE_NO_MAGICLINKS, RESOLVE_IN_ROOT

ATTEMPTS = 1000
"""openat2 gives up a path with `..` while somebody, wherever, renames a directory."""

LARGEST = 1024 * 1024
"""Bytes; what is read here is a name, a key or a few settings."""

_libc = ctypes.CDLL(None, use_errno=True)


class _How(ctypes.Structure):
    _fields_ = (("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64))


def exists(root: Path, path: str) -> bool:
    try:
        with _opening(root, path, os.O_PATH):
            return True
    except OSError:
        return False


def read(root: Path, path: str) -> str:
    """The text of a regular file. Raises NspawnError when it is none."""
    with regular_file(root, path) as descriptor:
        return os.read(descriptor, LARGEST).decode(errors="replace")


@contextmanager
def regular_file(root: Path, path: str) -> Iterator[int]:
    """A descriptor to read from. Raises NspawnError for what is not a regular file."""
    flags = os.O_RDONLY | os.O_NONBLOCK
    with _refusing(root, path), _opening(root, path, flags) as descriptor:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise NspawnError(f"{root}: /{path} is not a regular file")
        yield descriptor


def names(root: Path, path: str) -> list[str]:
    """What is in a directory; nothing where there is none."""
    try:
        with _opening(root, path, os.O_RDONLY | os.O_DIRECTORY) as descriptor:
            return sorted(entry.name for entry in os.scandir(descriptor))
    except OSError:
        return []


def write(root: Path, path: str, text: str, mode: int = 0o644) -> None:
    """Ensures a file of root's with this text."""
    with _replacing(root, path) as (parent, partial):
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
        with os.fdopen(os.open(partial, flags, 0o600, dir_fd=parent), "w") as file:
            file.write(text)
            os.fchmod(file.fileno(), mode)


def link(root: Path, path: str, target: str) -> None:
    with _replacing(root, path) as (parent, partial):
        os.symlink(target, partial, dir_fd=parent)


def remove(root: Path, path: str) -> None:
    with _refusing(root, path), _parent(root, path) as parent:
        os.unlink(PurePosixPath(path).name, dir_fd=parent)


def make_directory(root: Path, path: str, mode: int = 0o755) -> None:
    """Ensures a directory of root's in one that is there already."""
    if not exists(root, path):
        with _refusing(root, path), _parent(root, path) as parent:
            os.mkdir(PurePosixPath(path).name, mode, dir_fd=parent)


@contextmanager
def _replacing(root: Path, path: str) -> Iterator[tuple[int, str]]:
    """The directory of `path`, and a name in it for what comes to its place by a rename."""
    name = PurePosixPath(path).name
    partial = f".{name}.{os.getpid()}.partial"
    with _refusing(root, path), _parent(root, path) as parent:
        yield parent, partial
        os.rename(partial, name, src_dir_fd=parent, dst_dir_fd=parent)


def _parent(root: Path, path: str) -> AbstractContextManager[int]:
    return _opening(root, str(PurePosixPath(path).parent), os.O_PATH | os.O_DIRECTORY)


@contextmanager
def _refusing(root: Path, path: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise NspawnError(f"{root}: /{path} is not as a Debian has it: {error.strerror}") from None


@contextmanager
def _opening(root: Path, path: str, flags: int) -> Iterator[int]:
    """A descriptor of what `path` means to the container. Raises OSError."""
    descriptor = _open(root, path, _How(flags | os.O_CLOEXEC, 0, RESOLVE))
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _open(root: Path, path: str, how: _How) -> int:
    tree = os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for _ in range(ATTEMPTS):
            with suppress(BlockingIOError):
                return _opened(tree, path, how)
        return _opened(tree, path, how)
    finally:
        os.close(tree)


def _opened(tree: int, path: str, how: _How) -> int:
    """Raises OSError, BlockingIOError among them."""
    name, size = os.fsencode(path), ctypes.sizeof(how)
    descriptor = int(_libc.syscall(OPENAT2, tree, name, ctypes.byref(how), size))
    if descriptor < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), path)
    return descriptor
