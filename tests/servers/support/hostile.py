"""Archives as nobody good would make them."""

from __future__ import annotations

import gzip
import io
import tarfile
from collections.abc import Iterator
from pathlib import Path

HARD, SOFT, PIPE = tarfile.LNKTYPE, tarfile.SYMTYPE, tarfile.FIFOTYPE

Member = tuple[tarfile.TarInfo, bytes]


def of(name: str, kind: bytes = tarfile.REGTYPE, link: str = "", mode: int = 0o644) -> Member:
    member = tarfile.TarInfo(name)
    member.type, member.linkname, member.mode = kind, link, mode
    content = b"<?php // hostile\n" if kind == tarfile.REGTYPE else b""
    member.size = len(content)
    return member, content


def beside(application: Path, archive: Path, *members: Member) -> Path:
    """An archive of the application with these members at its end."""
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(application, ".", filter=lambda member: None if "/.git" in member.name else member)
        for member, content in members:
            tar.addfile(member, io.BytesIO(content))
    return archive


def device() -> Member:
    member, _ = of("public/zero", tarfile.CHRTYPE)
    member.devmajor, member.devminor = 1, 5
    return member, b""


def with_a_hole(name: str, size: int) -> bytes:
    """GNU tar's old format of a file that is nothing but a hole."""
    header = bytearray(tarfile.TarInfo(name).tobuf(tarfile.GNU_FORMAT))
    header[156:157] = tarfile.GNUTYPE_SPARSE
    header[386:398] = b"%011o " % size
    header[398:410] = b"%011o " % 0
    header[483:495] = b"%011o " % size
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header)


def compressed(archive: Path, blocks: Iterator[bytes]) -> Path:
    with gzip.open(archive, "wb", compresslevel=1) as file:
        for block in blocks:
            file.write(block)
        file.write(bytes(1024))
    return archive


def large(size: int) -> Iterator[bytes]:
    member = tarfile.TarInfo("zeros")
    member.size = size
    yield member.tobuf()
    yield from (bytes(1 << 20) for _ in range(size >> 20))


def many(count: int) -> Iterator[bytes]:
    yield from (tarfile.TarInfo(f"empty/{number}").tobuf() for number in range(count))


def holes(count: int, size: int) -> Iterator[bytes]:
    """After the script that a release's configuration is built with."""
    script = tarfile.TarInfo("artisan")
    script.size = 512
    yield script.tobuf() + b"<?php\n".ljust(512)
    yield from (with_a_hole(f"bootstrap/cache/{number}", size) for number in range(count))
