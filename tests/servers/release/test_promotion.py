"""What staging has run well reaches production, as git has it or as CI has built it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import hostile
import pytest
from application import BUILD
from project import Run
from provisioned import Provisioned
from releasing import HOME, Releasing, releasing

from stagecraft.on_server.listing import HEADINGS

LIVE = "askpro-production"

GIT = {
    "GIT_CONFIG_COUNT": "2",
    "GIT_CONFIG_KEY_0": "user.name",
    "GIT_CONFIG_VALUE_0": "Anna | `id`",
    "GIT_CONFIG_KEY_1": "user.email",
    "GIT_CONFIG_VALUE_1": "anna@askpro.test",
}


@pytest.fixture(scope="module")
def site(trixie: Provisioned, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Releasing]:
    directory = tmp_path_factory.mktemp("promotion")
    live = {
        "source": str(directory / "app"),
        "build": BUILD,
        "migrate": None,
        "workers": {},
        "scheduler": False,
        "proven_in": "staging",
    }
    project = trixie.project
    with project.edited("production", {"sites": {"askpro": {"app": live}}}):
        with releasing(trixie, directory, {}) as site:
            before = project.environment
            project.environment = before | GIT
            yield site
            project.environment = before
        home = trixie.site("askpro", "production").home
        trixie.switch(trixie.site("askpro", "production"), "releases/placeholder")
        trixie.ssh(f"find {home}/releases -mindepth 1 -maxdepth 1 -name '2*' -exec rm -r {{}} +")
        trixie.ssh(f"rm -rf /var/lib/stagecraft/sites/{LIVE} /var/log/stagecraft/{LIVE}")
    project.apply("production")


def promote(site: Releasing, *words: str) -> Run:
    return site.run("release", "production", *words, "--confirm", "production")


def test_production_refuses_what_staging_has_not_run_well(site: Releasing) -> None:
    site.release()
    commit = site.app.commit("New")
    never = promote(site)
    assert never.code == 1
    assert f"staging has never run {commit[:7]}: release it there first" in never.output
    site.release()
    assert site.run("rollback", "staging").code == 0
    left = promote(site)
    assert left.code == 1 and f"staging has come back from {commit[:7]}" in left.output
    listed = site.run("releases", "production", "--json")
    assert listed.code == 0 and json.loads(listed.stdout) == []


def test_what_staging_has_run_well_reaches_production_and_is_tagged(site: Releasing) -> None:
    commit = site.app.commit("Proven")
    site.release()
    done = promote(site)
    assert done.code == 0, done.output
    tagged = "%(refname:short) %(*objectname) %(taggername)"
    command = ["git", "-C", str(site.app.directory), "for-each-ref", f"--format={tagged}"]
    shown = subprocess.run([*command, "refs/tags"], capture_output=True, text=True, check=True)
    (line,) = shown.stdout.splitlines()
    assert line.startswith("release/production/2")
    assert line.endswith(f" {commit} Anna | `id`")
    assert done.output.rstrip().endswith(f"Tagged {line.split()[0]}")


def test_why_production_takes_something_else_is_kept(site: Releasing) -> None:
    commit = site.app.commit("Urgent")
    reason = "staging burns; --limit=1 | `id`"
    assert promote(site, "--unproven", reason).code == 0
    (entry,) = json.loads(site.run("releases", "production", "--json", "--limit=1").stdout)
    assert (entry["commit"], entry["unproven"], entry["current"]) == (commit, reason, True)
    assert f"unproven: {reason}" in site.run("releases", "production").stdout


def test_a_person_is_named_apart_from_the_key_that_logged_in(site: Releasing) -> None:
    command = ["ssh-keygen", "-lf", site.host.server.lab / "key.pub"]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    fingerprint = shown.split()[1]
    (entry,) = json.loads(site.run("releases", "production", "--json", "--limit=1").stdout)
    assert entry["by"] == "Anna | `id` <anna@askpro.test>"
    assert entry["login"] == f"root {fingerprint}"


@pytest.mark.parametrize("how", ["", "--markdown", "--json"])
def test_the_server_prints_what_the_operator_sees(site: Releasing, how: str) -> None:
    here = site.run("releases", "production", *how.split())
    there = site.host.ssh(f"stagecraft releases {LIVE} {how}")
    assert here.stdout.strip() == there.strip()
    if how == "--markdown":
        assert {row.count("|") for row in here.stdout.splitlines()} == {len(HEADINGS) + 1}


# --- What CI has built ---


def test_what_ci_has_built_is_not_built_again(site: Releasing, tmp_path: Path) -> None:
    commit = site.app.commit("Built by CI")
    member, _ = hostile.of("public/built.txt")
    archive = hostile.beside(site.app.directory, tmp_path / "app.tar.gz", (member, b"x" * 17))
    said = site.release("main", "--artifact", str(archive))
    assert site.serving == commit
    release = f"{HOME}/releases/{site.releases[-1]}"
    assert site.host.ssh(f"cat {release}/public/built.txt") == "x" * 17
    assert "$ php artisan config:cache" in said
    assert BUILD[0] not in said


OUTSIDE = "the archive has paths that lead out of the release"
FAILS = "the archive could not be unpacked"

HOSTILE = {
    "an absolute path": (hostile.of("/var/tmp/left"), OUTSIDE),
    "a path upwards": (hostile.of("public/../../left"), FAILS),
    "a hard link out": (hostile.of("public/a", hostile.HARD, "/etc/passwd"), FAILS),
    "a hard link upwards": (hostile.of("public/a", hostile.HARD, "../artisan"), OUTSIDE),
    "a device": (hostile.device(), FAILS),
    "a pipe for the commit": (hostile.of("REVISION", hostile.PIPE), None),
    "a program that is root's": (hostile.of("public/a", mode=0o6777), None),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_archive_is_refused_or_made_harmless(
    site: Releasing, tmp_path: Path, kind: str
) -> None:
    before, (member, said) = site.serving, HOSTILE[kind]
    archive = hostile.beside(site.app.directory, tmp_path / "app.tar.gz", member)
    done = site.run("release", "staging", "--artifact", str(archive))
    if said:
        assert (done.code, site.serving) == (1, before)
        assert said in done.output, done.output
        assert not site.host.ssh(f"ls {HOME}/builds; ls /var/tmp/left {HOME}/left || true")
    else:
        assert done.code == 0, done.output
        release = f"{HOME}/releases/{site.releases[-1]}"
        assert not site.host.ssh(f"find {release} -perm /7000 -o -type p")


def test_two_members_that_only_together_lead_out(site: Releasing, tmp_path: Path) -> None:
    before = site.serving
    members = [hostile.of("public/a", hostile.SOFT, "/tmp"), hostile.of("public/a/left")]
    archive = hostile.beside(site.app.directory, tmp_path / "app.tar.gz", *members)
    done = site.run("release", "staging", "--artifact", str(archive))
    assert (done.code, site.serving) == (1, before)
    assert not site.host.ssh("find /tmp /var/tmp -name left")


FULL = "the release would fill the server's disk"

BOMBS = {
    "zeros": (partial(hostile.large, 300 << 20), "tar: Unexpected EOF in archive"),
    "files": (partial(hostile.many, 150_000), FULL),
    "holes": (
        partial(hostile.holes, 3, 2**32),
        "the release's 12884 MB would fill the server's disk",
    ),
    "not gzip": (None, FAILS),
}


@pytest.mark.parametrize("kind", BOMBS)
def test_a_bomb_does_not_fill_the_disk(site: Releasing, tmp_path: Path, kind: str) -> None:
    """The disk has 280 MB and 100 000 files."""
    before, (blocks, said) = site.serving, BOMBS[kind]
    archive = tmp_path / "app.tar.gz"
    if blocks:
        hostile.compressed(archive, blocks())
    else:
        archive.write_text("PK")
    site.host.ssh(f"mount -t tmpfs -o size=267m,nr_inodes=100000,mode=700 full {HOME}/builds")
    try:
        done = site.run("release", "staging", "--artifact", str(archive))
        left = site.host.ssh(f"find {HOME}/builds -mindepth 1")
    finally:
        site.host.ssh(f"umount {HOME}/builds")
    assert (done.code, site.serving, left) == (1, before, "")
    assert said in done.output, done.output
