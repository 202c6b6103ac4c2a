"""Workers and the scheduler run the current release's jobs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest
from application import BROKEN
from gateway import ANNA, Gateway
from provisioned import Provisioned
from releasing import HOME, NAME, SITE, Releasing, releasing

QUEUE = f"worker@{NAME}:queue:1.service"
HORIZON = f"worker@{NAME}:horizon:1.service"
SCHEDULER = f"scheduler@{NAME}.service"


@pytest.fixture(scope="module")
def site(trixie: Provisioned, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Releasing]:
    workers = {
        "queue": {"command": "php artisan queue:work --sleep=0.2", "drain": 20},
        "horizon": {"command": "php artisan horizon", "drain": 20},
    }
    with releasing(trixie, tmp_path_factory.mktemp("workers"), {"workers": workers}) as it:
        yield it


def property_of(site: Releasing, unit: str, name: str) -> str:
    return site.host.ssh(f"systemctl show --property={name} --value {unit}")


def runs(site: Releasing) -> dict[str, int]:
    """How often each job was run."""
    query = f"select value, runs from {site.host.site().database.name}.results"
    lines = site.host.ssh(f"mariadb -N -e '{query}'").splitlines()
    return {value: int(count) for value, count in (line.split("\t") for line in lines)}


def queue(site: Releasing, value: str) -> None:
    assert site.host.web.get(f"{SITE}/queue/{value}", login=site.host.qa).status in (200, 202)


def done(site: Releasing, values: set[str]) -> dict[str, int]:
    for _ in range(300):
        if values <= (found := runs(site)).keys():
            return found
        time.sleep(0.1)
    raise AssertionError(f"{values - found.keys()} were never run")


def test_they_wait_for_the_first_release(site: Releasing) -> None:
    assert site.host.project.plan("staging") == []
    for unit in (QUEUE, HORIZON, SCHEDULER):
        assert property_of(site, unit, "ActiveState") == "inactive"
    site.release()
    for unit in (QUEUE, HORIZON, SCHEDULER):
        assert property_of(site, unit, "SubState") == "running"
    assert site.host.project.plan("staging") == []


CONFINES = (
    *("User", "ProtectSystem", "ProtectHome", "ProtectProc", "ProcSubset", "PrivateDevices"),
    *("PrivateIPC", "NoNewPrivileges", "CapabilityBoundingSet", "AmbientCapabilities"),
    *("RestrictAddressFamilies", "RestrictNamespaces", "SystemCallFilter", "IPAddressDeny"),
    *("InaccessiblePaths", "TemporaryFileSystem", "ReadWritePaths", "SocketBindDeny"),
)


@pytest.mark.parametrize("unit", [QUEUE, HORIZON, SCHEDULER])
def test_what_confines_php_confines_them(site: Releasing, unit: str) -> None:
    def walls(unit: str) -> dict[str, list[str]]:
        return {
            name: sorted(
                word
                for word in property_of(site, unit, name).split()
                if not word.startswith("/dev/shm")
            )
            for name in CONFINES
        }

    assert walls(unit) == walls(f"php-fpm@{NAME}.service")


def test_no_job_is_lost_or_run_twice_by_releases(site: Releasing) -> None:
    """Neither by a worker that runs jobs itself, nor by one that has children for it."""
    names = {f"slow-{number}" for number in range(24)}
    for name in sorted(names):
        queue(site, name)
    for number in range(3):
        site.app.commit(f"Release {number}")
        site.release()
    found = done(site, names)
    assert {name: found[name] for name in names} == dict.fromkeys(names, 1)
    table = f"{site.host.site().database.name}.failed_jobs"
    assert site.host.ssh(f"mariadb -N -e 'select count(*) from {table}'") == "0"


def test_they_run_the_new_release_s_code(site: Releasing) -> None:
    site.app.commit("Newer")
    site.release()
    done(site, set())
    for _ in range(100):
        directory = site.host.ssh(f"readlink /proc/$(systemctl show -P MainPID {QUEUE})/cwd")
        if directory == f"{HOME}/releases/{site.releases[-1]}":
            break
        time.sleep(0.1)
    assert directory == f"{HOME}/releases/{site.releases[-1]}"


def test_a_change_of_the_settings_reaches_them(site: Releasing) -> None:
    before = property_of(site, QUEUE, "ActiveEnterTimestampMonotonic")
    with site.host.project.edited("staging", {"sites": {"askpro": {"env": {"APP_NAME": "New"}}}}):
        site.host.project.apply("staging")
    assert property_of(site, QUEUE, "ActiveEnterTimestampMonotonic") != before
    cached = f"{HOME}/current/bootstrap/cache/config.php"
    assert site.host.ssh(f"grep -c \"'name' => 'New'\" {cached}") == "1"
    assert site.host.ssh(f"stat -c '%U %G %a' {cached}") == f"root {NAME} 640"
    site.host.project.apply("staging")


def test_a_worker_that_ends_at_once_brings_the_old_release_back(site: Releasing) -> None:
    before = site.serving
    site.app.branch("dies", BROKEN["workers"])
    failed = site.run("release", "staging", "dies")
    assert failed.code == 1 and "Failed at workers: " in failed.output
    assert QUEUE in failed.output and " ends at once: " in failed.output
    assert site.serving == before
    queue(site, "afterwards")
    done(site, {"afterwards"})


def test_the_scheduler_runs_due_tasks(site: Releasing) -> None:
    """The application has two that are due every minute: a job, and a command that reminds the
    customer of an appointment which a worker has confirmed."""
    gateway = Gateway(site.host)
    made = gateway.api("/appointments", ANNA, {"customer": "Carl"})
    assert made.status == 201, made.text
    path = f"/appointments/{made.json['id']}"
    wait_until(lambda: gateway.api(path, ANNA).json["confirmed_at"], 10)
    wait_until(lambda: gateway.api(path, ANNA).json["reminded_at"], 130)
    wait_until(lambda: runs(site).get("scheduled"), 10)


def wait_until(condition: Callable[[], object], seconds: int) -> None:
    for _ in range(2 * seconds):
        if condition():
            return
        time.sleep(0.5)
    raise AssertionError(f"not within {seconds} seconds")
