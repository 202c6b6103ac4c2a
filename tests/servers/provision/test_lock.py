"""One run per server at a time, and never a lock that nobody holds."""

from __future__ import annotations

import getpass
import subprocess
import time
from collections.abc import Iterator

import pytest
from provisioned import Provisioned


@pytest.fixture(params=["trixie", "bookworm"])
def host(request: pytest.FixtureRequest) -> Provisioned:
    return request.getfixturevalue(request.param)


@pytest.fixture
def waiting(host: Provisioned) -> Iterator[subprocess.Popen[str]]:
    """A run that has its plan and asks whether to go on."""
    run = host.project.start("staging")
    until = time.monotonic() + 60
    held = f"grep --quiet --no-messages '(process {run.pid})' /run/stagecraft/lock"
    while not host.succeeds(held) and time.monotonic() < until:
        time.sleep(0.2)
    yield run
    run.kill()
    run.communicate()
    host.ssh("rm -f /run/stagecraft/lock")


def test_a_second_run_is_refused_and_told_who_holds_the_lock(
    host: Provisioned, waiting: subprocess.Popen[str]
) -> None:
    second = host.project.pyinfra("staging", "-y")
    assert second.code == 1
    assert f": {getpass.getuser()}@" in second.output
    assert f"(process {waiting.pid})" in second.output
    assert " since 20" in second.output
    assert "Traceback" not in second.output


def test_a_plan_needs_no_lock(host: Provisioned, waiting: subprocess.Popen[str]) -> None:
    assert host.project.plan("staging") == []


def test_a_killed_run_holds_no_lock(host: Provisioned, waiting: subprocess.Popen[str]) -> None:
    waiting.kill()
    waiting.communicate()
    run = host.project.pyinfra("staging", "-y")
    assert run.code == 0
    assert "Traceback" not in run.output


def test_a_server_that_gives_no_lock_is_not_changed(host: Provisioned) -> None:
    host.ssh("rm -f /run/stagecraft/lock && mkdir /run/stagecraft/lock")
    run = host.project.pyinfra("staging", "-y")
    host.ssh("rmdir /run/stagecraft/lock")
    assert run.code == 1
    assert "cannot be locked" in run.output and "/run/stagecraft/lock: Is a directory" in run.output
