"""A release that is broken leaves the old one serving, and nothing behind."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from application import BROKEN
from provisioned import Provisioned
from releasing import HOME, NAME, Releasing, releasing


@pytest.fixture(scope="module")
def site(trixie: Provisioned, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Releasing]:
    with releasing(trixie, tmp_path_factory.mktemp("broken"), {}) as site:
        site.release()
        yield site


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_release_leaves_the_old_one_serving(site: Releasing, kind: str) -> None:
    before = site.serving
    broken = site.app.branch("broken", BROKEN[kind])
    done = site.run("release", "staging", "broken")
    assert done.code == 1, done.output
    assert f"Failed at {kind.partition(':')[0]}" in done.output, done.output
    assert site.serving == before
    entry = site.journal[-1]
    assert (entry["outcome"], entry["commit"]) == ("failed", broken)
    assert site.run("rollback", "staging", broken).code == 1


@pytest.mark.parametrize("target", ["/etc/nginx", "../../../shared", "../storage/app/public"])
def test_a_release_with_a_link_that_leads_out_does_not_serve(site: Releasing, target: str) -> None:
    before = site.serving
    site.app.branch("links", {"public/within": "robots.txt", "public/out": target}, links=True)
    done = site.run("release", "staging", "links")
    assert done.code == 1
    assert f"these links lead out of the release: public/out -> {target}. " in done.output
    assert site.serving == before


def test_a_release_with_a_pipe_does_not_serve(site: Releasing) -> None:
    """nginx would wait at it."""
    before = site.serving
    with site.built_with("mkfifo public/pipe"):
        done = site.run("release", "staging")
    assert done.code == 1
    assert "public/pipe is neither a file nor a directory nor a link" in done.output
    assert site.serving == before


def test_failures_leave_the_number_of_releases_to_keep(site: Releasing) -> None:
    site.app.branch("broken", BROKEN["boot"])
    for _ in range(3):
        site.app.commit("Good")
        site.release()
    for _ in range(6):
        assert site.run("release", "staging", "broken").code == 1
    for _ in range(3):
        site.app.commit("Good")
        site.release()
    assert len(site.releases) == 3
    views = site.host.ssh(f"ls {HOME}/shared/storage/framework/views").split()
    assert set(site.releases) <= set(views)
    assert len(views) <= 4, "what the last release has removed, the next one tidies up"
    left = f"find {HOME}/builds /var/lib/stagecraft/sites/{NAME}/actions -mindepth 1"
    assert not site.host.ssh(left)


REFUSED = {
    "ln -sfn ../../shared/storage/env .env": "something else in the place of the link .env",
    "mkdir -p $(printf 'a/%.0s' $(seq 150))": "its directories are nested more than 100 deep",
}


@pytest.mark.parametrize("command", REFUSED)
def test_a_build_cannot_prepare_what_root_does_later(site: Releasing, command: str) -> None:
    before = site.serving
    with site.built_with(command):
        done = site.run("release", "staging")
    assert done.code == 1
    assert REFUSED[command] in done.output, done.output
    assert site.serving == before


def test_a_file_that_a_build_still_has_open_is_none_of_the_release_s(site: Releasing) -> None:
    """It could have passed it on to a process that outlives the build."""
    with site.built_with("stat -c %i artisan > inode"):
        site.release()
    release = f"{HOME}/releases/{site.releases[-1]}"
    assert site.host.ssh(f"stat -c %i {release}/artisan") != site.host.ssh(f"cat {release}/inode")
