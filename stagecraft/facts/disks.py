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


def percent(text: str) -> int:
    """`-` means not applicable."""
    return 0 if text == "-" else int(text.removesuffix("%"))


class DisksFact(Fact[list[Disk]]):
    """Local file systems only: remote ones could block the check."""

    def command(self) -> str:
        excluded = " ".join(f"--exclude-type={kind}" for kind in FIXED)
        return f"df --local {excluded} --output=pcent,ipcent,target 2>/dev/null | grep ."

    def process(self, output: list[str]) -> list[Disk]:
        rows = (line.split(maxsplit=2) for line in output[1:])
        return [
            Disk(mount, percent(space), percent(inodes))
            for space, inodes, mount in rows
            if space != "-"
        ]
