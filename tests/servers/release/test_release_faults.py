"""Whatever interrupts a release, the site serves one version whole, and the next release works."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Iterator

import pytest
from application import BROKEN
from load import visited
from provisioned import Provisioned, quote
from releasing import HOME, NAME, Releasing, releasing

STATE = f"/var/lib/stagecraft/sites/{NAME}"
LOGS = f"/var/log/stagecraft/{NAME}"

STEPS = (
    "preflight",
    "prepare",
    "unpack",
    "build",
    "hand over",
    "place",
    "boot",
    "migrate",
    "switch",
    "health",
)


@pytest.fixture(scope="module")
def site(trixie: Provisioned, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Releasing]:
    with releasing(trixie, tmp_path_factory.mktemp("faults"), {}) as site:
        site.release()
        yield site


def version(number: int) -> dict[str, str | None]:
    """The changes that make a version, in three files of a release."""
    return {
        "app/Version.php": f"<?php\nnamespace App;\nclass Version {{ const NUMBER = {number}; }}\n",
        "config/version.php": f"<?php\nreturn ['number' => {number}];\n",
        "resources/views/version.blade.php": str(number),
    }


def at(step: str, command: str) -> str:
    """Runs the command on the server as soon as the action that begins next comes to the step.
    Prints a line when it is ready for that action."""
    newest = f"$(ls -t {LOGS}/*.log | head -1)"
    return (
        f"old=$(ls {LOGS}/*.log | wc -l); echo ready; for n in $(seq 3000); do"
        f" [ $(ls {LOGS}/*.log | wc -l) = $old ] || ! grep -q '^==> {step}$' {newest} || break;"
        f" sleep 0.01; done; {command}"
    )


KILL = f"pkill -KILL -f 'stagecraft [p]erform {NAME}'"


def nothing_is_left(site: Releasing) -> None:
    assert not site.host.ssh(f"ls {HOME}/builds {STATE}/actions | grep -v : | grep . || true")
    units = f"systemctl list-units --all --plain --no-legend 'stagecraft-*-{NAME}*'"
    assert not site.host.ssh(units)


def ended(site: Releasing, count: int) -> dict[str, object]:
    """The journal's entry after so many, once it is there."""
    for _ in range(300):
        if len(entries := site.journal) > count:
            return entries[count]
        time.sleep(0.1)
    raise AssertionError(f"no entry after {count}")


@pytest.mark.parametrize("step", STEPS)
def test_a_release_that_is_killed_at_any_step_leaves_one_version_serving(
    site: Releasing, step: str
) -> None:
    before, count = site.serving, len(site.journal)
    commit = site.app.commit(f"Killed at {step}")
    command = [*site.host.server.ssh_command(), "--", f"sh -c {quote(at(step, KILL))}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as killer:
        assert killer.stdout and killer.stdout.readline()
        done = site.run("release", "staging")
        assert killer.wait(60) == 0
    entry = ended(site, count)
    assert entry["outcome"] == "killed", entry
    assert done.code == 1
    assert site.serving == before
    nothing_is_left(site)
    site.release()
    assert site.serving == commit


def test_a_release_goes_on_when_the_connection_is_cut(site: Releasing) -> None:
    count, commit = len(site.journal), site.app.commit("Cut")
    release = site.start("release", "staging")
    site.reaches(release, "unpack")
    site.host.server.ssh("true")
    release.send_signal(signal.SIGKILL)
    release.communicate()
    site.host.ssh("pkill -KILL -f 'stagecraft [r]elease askpro-staging' || true")
    assert ended(site, count)["outcome"] == "done"
    assert site.serving == commit


def test_the_second_of_two_releases_is_told_of_the_first_and_can_follow_it(
    site: Releasing,
) -> None:
    site.app.commit("First of two")
    first = site.start("release", "staging")
    site.reaches(first, "unpack")
    second = site.run("release", "staging")
    followed = site.run("follow", "staging")
    output, _ = first.communicate(timeout=60)
    assert first.returncode == 0, output
    assert second.code == 1 and "askpro-staging is busy: release 2" in second.output
    assert followed.code == 0 and "Done. askpro-staging runs" in followed.output


def test_a_power_cut_after_the_switch_brings_the_old_release_back(site: Releasing) -> None:
    before, count = site.serving, len(site.journal)
    site.app.branch("hangs", BROKEN["health: hangs"])
    release = site.start("release", "staging", "hangs")
    site.reaches(release, "health")
    site.host.cut_power()
    release.kill()
    release.communicate()
    assert ended(site, count)["outcome"] == "killed"
    assert site.serving == before
    nothing_is_left(site)
    units = ("nginx", f"php-fpm@{NAME}", f"worker@{NAME}:queue:1")
    recovered = begun(site, "stagecraft-recovery", "ActiveEnter")
    assert all(begun(site, unit, "ExecMainStart") > recovered for unit in units)
    assert site.host.project.plan("staging") == []


def begun(site: Releasing, unit: str, what: str) -> int:
    """In microseconds since the machine's start."""
    show = f"systemctl show --value --property={what}TimestampMonotonic {unit}.service"
    return int(site.host.ssh(show))


def test_a_full_disk_leaves_the_old_release_serving(site: Releasing) -> None:
    """The release's directory is on a disk of its own that has no room for the build."""
    before = site.serving
    big = {"big.bin": "x" * 30_000_000}
    site.app.branch("big", big)
    site.host.ssh(f"mount -t tmpfs -o size=20m,mode=700 full {HOME}/builds")
    try:
        done = site.run("release", "staging", "big")
    finally:
        site.host.ssh(f"umount {HOME}/builds")
    assert done.code == 1 and "Failed at unpack" in done.output, done.output
    assert site.serving == before
    nothing_is_left(site)


@pytest.mark.timeout(1200)
def test_no_visitor_notices_ten_releases_and_three_rollbacks(
    site: Releasing,
) -> None:
    """Nor does production beside it, whose health check asks its database and its Redis."""
    site.release()
    address = site.host.server.address
    with (
        visited(address, "staging.askpro.test", "/api/version", least=20_000) as answers,
        visited(address, "api.askpro.test", "/health", visitors=1) as neighbour,
    ):
        for number in range(1, 11):
            site.app.commit(f"Version {number}", version(number))
            site.release()
        for _ in range(3):
            assert site.run("rollback", "staging").code == 0
            if _ < 2:
                site.release()
    for each in (answers, neighbour):
        print(f"{each['count']} requests, the slowest took {each['slowest']:.2f} s")
    assert answers["failed"] == neighbour["failed"] == []
    assert neighbour["count"] >= 100
    assert answers["count"] >= 20_000
    seen = [json.loads(body) for body in answers["bodies"]]
    assert [body for body in seen if len(set(body.values())) > 1] == []
    assert {body["class"] for body in seen} >= set(range(1, 11))
