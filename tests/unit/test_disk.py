"""How much of the disk a release gets."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from stagecraft.on_server import disk


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Any:
    def of(*, size: int, free: int, inodes: int = 0, free_inodes: int = 0) -> None:
        told = SimpleNamespace(
            f_frsize=1000,
            f_blocks=size // 1000,
            f_bavail=free // 1000,
            f_files=inodes,
            f_favail=free_inodes,
        )
        monkeypatch.setattr(os, "statvfs", lambda _: told)

    return of


@pytest.mark.parametrize(
    ("size", "free", "spare"),
    [
        (50_000_000_000, 5_000_000_000, 4_800_000_000),
        (50_000_000_000, 200_000_000, 0),
        (50_000_000_000, 10_000, 0),
        (20_000_000, 18_000_000, 16_000_000),
        (10**15, 10**14, disk.MOST),
    ],
)
def test_a_release_gets_what_is_free_but_a_reserve(
    server: Any, size: int, free: int, spare: int
) -> None:
    server(size=size, free=free)
    assert disk.spare(Path()) == spare
    if spare:
        disk.refuse_full(Path())  # a file system without a number of inodes
    else:
        with pytest.raises(disk.Full):
            disk.refuse_full(Path())


@pytest.mark.parametrize(("inodes", "least"), [(1_000_000, 20_000), (5_000, 500)])
def test_files_without_contents_use_the_disk_up_too(server: Any, inodes: int, least: int) -> None:
    server(size=10**12, free=10**11, inodes=inodes, free_inodes=least)
    disk.refuse_full(Path())
    server(size=10**12, free=10**11, inodes=inodes, free_inodes=least - 1)
    with pytest.raises(disk.Full):
        disk.refuse_full(Path())


def test_a_hole_counts_and_a_file_with_two_names_counts_once(tmp_path: Path) -> None:
    (tmp_path / "a\n1:1 9").write_bytes(b"x" * 100)
    (tmp_path / "b").hardlink_to(tmp_path / "a\n1:1 9")
    with (tmp_path / "hole").open("wb") as file:
        file.truncate(10**12)
    assert disk.size(tmp_path) == 10**12 + 100
