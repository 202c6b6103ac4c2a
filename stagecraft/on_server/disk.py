"""How much of the disk a release may use: other sites and the database need the last of it."""

import os
import subprocess
from pathlib import Path

from stagecraft.on_server.site import Failed

RESERVE = 200_000_000
"""Bytes that are left, but never more than a tenth of the disk; likewise:"""

INODES = 20_000

MOST = 10_000_000_000
"""Bytes of a release, however large the disk is."""


class Full(Failed):
    """The reserve is touched."""


def spare(directory: Path) -> int:
    """Bytes that a release may still use."""
    disk = os.statvfs(directory)
    reserve = min(RESERVE, disk.f_blocks * disk.f_frsize // 10)
    return max(0, min(MOST, disk.f_bavail * disk.f_frsize - reserve))


def refuse_full(directory: Path) -> None:
    """Raises Full. Some file systems have no number of inodes."""
    disk = os.statvfs(directory)
    if not spare(directory) or disk.f_favail < min(INODES, disk.f_files // 10):
        raise Full("the release would fill the server's disk")


def size(directory: Path) -> int:
    """Bytes of the files in it as programs see them: a file with holes counts whole."""
    command = ["find", str(directory), "-type", "f", "-printf", "%D:%i %s\n"]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    files = dict(line.split() for line in lines)
    return sum(map(int, files.values()))
