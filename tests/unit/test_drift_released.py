"""What the check sees in a site's storage, whatever the site calls it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from stagecraft.facts.released import READ_RELEASED, NotReleasedFact

VIEW = "<?php echo 1; ?>\n<?php /**PATH /var/www/a/resources/views/a.blade.php ENDPATH**/ ?>"


def found(home: Path) -> list[tuple[str, str, str]]:
    command = [sys.executable, "-I", "-S", "-c", READ_RELEASED, "askpro", str(home)]
    output = subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout
    return NotReleasedFact().process([output])


@pytest.mark.parametrize(
    "name", ["a.php", "a.PHTML", "a\nb.php", os.fsdecode(b"\xff.php"), "deep/.user.ini", "l.so"]
)
def test_a_program_is_found_by_any_name(tmp_path: Path, name: str) -> None:
    path = tmp_path / "shared/storage/app" / name
    path.parent.mkdir(parents=True)
    path.write_text("<?php")
    assert found(tmp_path) == [("askpro", "program", str(path))]


def test_a_view_is_one_by_its_end(tmp_path: Path) -> None:
    views = tmp_path / "shared/storage/framework/views"
    views.mkdir(parents=True)
    (views / "good.php").write_text(VIEW)
    (views / "bad.php").write_text(f"{VIEW}{'x' * 300}")
    with (views / "large.php").open("w") as large:
        large.truncate(1 << 40)
    os.mkfifo(views / "waits.php")
    assert [Path(path).name for _, _, path in sorted(found(tmp_path))] == ["bad.php", "large.php"]


def test_a_link_is_found_if_it_leads_out(tmp_path: Path) -> None:
    storage = tmp_path / "shared/storage"
    storage.mkdir(parents=True)
    (storage / "in").symlink_to("app")
    (storage / "out").symlink_to("/etc/passwd")
    assert found(tmp_path) == [("askpro", "link out", str(storage / "out"))]


def test_no_chain_of_links_holds_it_up_or_leads_out(tmp_path: Path) -> None:
    storage = tmp_path / "shared/storage"
    (storage / "a/b").mkdir(parents=True)
    for number in range(3000):
        (storage / f"{number}").symlink_to(f"{number + 1}")
    (storage / "a/b/top").symlink_to("../..")
    (storage / "out").symlink_to("a/b/top/../../x")
    assert found(tmp_path) == [("askpro", "link out", str(storage / "out"))]


def test_many_are_told_of_as_few(tmp_path: Path) -> None:
    storage = tmp_path / "shared/storage"
    storage.mkdir(parents=True)
    for number in range(50):
        (storage / f"{number}.php").touch()
    assert len(found(tmp_path)) == 20


def test_without_a_storage_nothing_is_said(tmp_path: Path) -> None:
    assert found(tmp_path) == []
