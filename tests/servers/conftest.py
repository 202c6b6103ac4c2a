"""Real servers, each booted and provisioned once for the whole session, from bare to serving."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest
from isolation import verdicts
from pebble import Pebble, set_up
from project import Project
from provisioned import STATE, Provisioned, debian_unstable, machine, provision, staging

from stagecraft.nspawn.lab import Lab
from stagecraft.settings import read


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    lab = Lab(STATE)
    lab.down()
    shutil.rmtree(STATE, ignore_errors=True)
    yield lab
    lab.down()


@pytest.fixture(scope="session")
def pebble(lab: Lab) -> Pebble:
    return set_up(lab.boot("pebble"))


@pytest.fixture(scope="session")
def trixie(lab: Lab) -> Provisioned:
    """Debian 13 as root: staging with two sites, and production beside it."""
    server = lab.boot("trixie")
    project = Project(STATE / "projects/trixie")
    project.write(
        all=machine(server, lab),
        staging=staging(server, "selfsigned"),
        production={
            "server": server.name,
            "sites": {
                "askpro": {
                    "domain": "api.askpro.test",
                    "tls": {"issuer": "selfsigned"},
                    "mark_staging": False,
                    "database": {"name": "askproai_db", "user": "askproai_user"},
                    "redis": {"prefix": "askpro_cache_"},
                    "php_fpm": {"memory": "5%"},
                    "features": {"customer_portal": False},
                }
            },
        },
    )
    return provision(server, project, ["staging", "production"])


@pytest.fixture(scope="session")
def bookworm(lab: Lab, pebble: Pebble) -> Provisioned:
    """Debian 12 through an account with sudo: staging with two sites, certificates from a CA."""
    server = lab.boot("bookworm", "bookworm", sudo_account=True)
    project = Project(STATE / "projects/bookworm", resolver=pebble.server.address)
    project.write(all=machine(server, lab, pebble), staging=staging(server, "pebble"))
    for key in ("askpro", "shop"):
        pebble.resolve(read("staging", project.directory).site(key).domains, server.address)
    return provision(server, project, ["staging"])


@pytest.fixture(scope="session")
def mysql(lab: Lab, pebble: Pebble) -> Provisioned:
    """Debian 13 with MySQL from unstable, and certificates from a CA."""
    server = lab.boot("mysql")
    project = Project(STATE / "projects/mysql", resolver=pebble.server.address)
    data = machine(server, lab, pebble)
    data["servers"][server.name] |= {
        "database": {"engine": "mysql", "memory": "5%"},
        "apt_sources": {"unstable": debian_unstable(server)},
    }
    environment = staging(server, "pebble")
    del environment["sites"]["shop"]
    project.write(all=data, staging=environment)
    pebble.resolve(["staging.askpro.test", "www.staging.askpro.test"], server.address)
    return provision(server, project, ["staging"])


@pytest.fixture(scope="session", params=["trixie", "bookworm"])
def host(request: pytest.FixtureRequest) -> Provisioned:
    """What must be true on Debian 12 and Debian 13 alike."""
    return request.getfixturevalue(request.param)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Prints the matrix of isolation with what came of it."""
    reports = terminalreporter.getreports("passed") + terminalreporter.getreports("failed")
    results = [
        value
        for report in reports
        for key, value in report.user_properties
        if key == "isolation" and report.when == "call"
    ]
    if results:
        terminalreporter.section("staging tries to")
        terminalreporter.write("".join(f"{line}\n" for line in verdicts(results)))
