"""Which links of a release nginx would follow out of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from stagecraft.facts.releases import ReleasesFact


@pytest.mark.parametrize(
    ("link", "target", "leads_out"),
    [
        ("out", "/etc", True),
        ("out", "../..", True),
        ("within", "../public", False),
        # Locations of their own serve these, and look at no link.
        ("storage", "/etc", False),
        ("uploads", "/etc", False),
        # No location but the site's own serves these.
        ("uploads cache", "/etc", True),
        ("below/uploads", "/etc", True),
        ("below/public/storage", "/etc", True),
        ("below/public/uploads", "/etc", True),
    ],
)
def test_a_link_that_leads_out(
    tmp_path: Path, read_here: Any, link: str, target: str, leads_out: bool
) -> None:
    path = tmp_path / "releases/1/public" / link
    path.parent.mkdir(parents=True)
    path.symlink_to(target)
    found = read_here(ReleasesFact, home=str(tmp_path), shared=["uploads", "cache"])
    assert (f"1/public/{link}" in found) == leads_out


@pytest.mark.parametrize(
    ("link", "target"),
    [
        ("releases/2", "../shared/storage/back"),
        ("current", "shared/storage/back"),
        ("releases/1/public/out", "../../../shared/storage/back/public/css"),
        ("releases/1/public/out", "css/../../../../shared/storage/back/public/css"),
        ("releases/1/public/out", "uploads"),
    ],
)
def test_a_link_that_comes_back_by_way_of_the_storage(
    tmp_path: Path, read_here: Any, link: str, target: str
) -> None:
    """What the site exchanges later."""
    (tmp_path / "releases/1/public/css").mkdir(parents=True)
    (tmp_path / "shared/storage").mkdir(parents=True)
    (tmp_path / "shared/storage/back").symlink_to(tmp_path / "releases/1")
    (tmp_path / "releases/1/public/uploads").symlink_to("../../../shared/storage/back/public/css")
    path = tmp_path / link
    path.symlink_to(target)
    name = str(Path("../current") if link == "current" else path.relative_to(tmp_path / "releases"))
    assert read_here(ReleasesFact, home=str(tmp_path), shared=["uploads"]) == [name]


@pytest.mark.parametrize(
    ("link", "target", "leads_out"),
    [
        ("public/app", ".", True),
        ("public/app", "..", True),
        ("public/wp", "content", True),
        ("public/wp", "content/themes", False),
        ("public/wp", "content/themes/../themes//", False),
        ("public/wp", "wp", True),
    ],
)
def test_a_link_to_above_one_that_a_location_of_its_own_serves(
    tmp_path: Path, read_here: Any, link: str, target: str, leads_out: bool
) -> None:
    """By that link, nginx would follow what the site has there."""
    release = tmp_path / "releases/1"
    (release / "public/content/themes").mkdir(parents=True)
    (release / "public/content/uploads").symlink_to("/var/lib")
    (release / "storage").symlink_to("/var/lib")
    (release / link).symlink_to(target)
    found = read_here(ReleasesFact, home=str(tmp_path), shared=["content/uploads"])
    assert found == ([f"1/{link}"] if leads_out else [])


def test_a_current_release_that_leads_to_one(tmp_path: Path, read_here: Any) -> None:
    (tmp_path / "releases/1/public").mkdir(parents=True)
    (tmp_path / "releases/latest").symlink_to(tmp_path / "releases/1")
    (tmp_path / "current").symlink_to("releases/latest")
    assert read_here(ReleasesFact, home=str(tmp_path), shared=[]) == []


def test_a_link_among_the_releases_is_none_and_may_not_lead_out_of_them(
    tmp_path: Path, read_here: Any
) -> None:
    """What it leads to is not looked into: that may be another site's."""
    theirs = tmp_path / "theirs/public"
    theirs.mkdir(parents=True)
    (theirs / "out").symlink_to("/etc")
    (tmp_path / "releases/1").mkdir(parents=True)
    (tmp_path / "releases/latest").symlink_to("1")
    (tmp_path / "releases/2").symlink_to(theirs.parent)
    assert read_here(ReleasesFact, home=str(tmp_path), shared=[]) == ["2"]
