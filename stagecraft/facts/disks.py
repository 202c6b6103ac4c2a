"""How full the file systems are."""

from dataclasses import dataclass

from stagecraft.facts.reading import Fact

FIXED = ("devtmpfs", "squashfs", "iso9660", "overlay", "efivarfs", "ramfs", "fuse.lxcfs")
"""File systems that are always full, or that duplicate another one."""


@dataclass(frozen=True)
class Disk:
    """A mounted file system with its used space and inodes, in percent. `space` counts blocks
    reserved for root as used, as df does."""

    mount: str
    space: int
    inodes: int


def parse_disks(lines: list[str]) -> list[Disk]:
    """Reads df's columns: both percentages (`-` if not applicable) and the mount point."""
    disks = []
    for line in lines[1:]:
        space, inodes, mount = line.split(maxsplit=2)
        if space != "-":
            disks.append(Disk(mount, percent(space), percent(inodes)))
    return disks


def percent(text: str) -> int:
    return 0 if text == "-" else int(text.removesuffix("%"))


class DisksFact(Fact[list[Disk]]):
    """Local file systems only: remote ones could block the check."""

    parse = staticmethod(parse_disks)

    def command(self) -> str:
        excluded = " ".join(f"--exclude-type={kind}" for kind in FIXED)
        return f"df --local {excluded} --output=pcent,ipcent,target 2>/dev/null | grep ."
