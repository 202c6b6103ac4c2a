"""Real servers, each booted and provisioned once for the whole session, from bare to serving."""

from __future__ import annotations

import shutil
from collections.abc import Generator, Iterator
from functools import cache, partial
from pathlib import Path
from typing import Any

import pytest
import tampering
from pebble import Pebble, set_up
from project import Project
from provisioned import (
    LONGEST_DOMAIN,
    STATE,
    Provisioned,
    debian_unstable,
    machine,
    provision,
    staging,
)
from tampering import Finder, Guarded, guard

from lab.lab import Lab
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
                    "aliases": [LONGEST_DOMAIN],
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


@pytest.fixture(scope="session")
def guarded(lab: Lab) -> Guarded:
    """Debian 13, bootstrapped, with staging and production: what the nightly check looks at."""
    return guard(lab, "guarded", "trixie")


@pytest.fixture(scope="session")
def guarded_12(lab: Lab) -> Guarded:
    """The same on Debian 12, which speaks German."""
    return guard(lab, "guarded-12", "bookworm", locale="de_DE.UTF-8")


@pytest.fixture(scope="module")
def find(guarded: Guarded) -> Finder:
    """What a check finds of a round of changes, made at the round's first test."""
    return cache(partial(tampering.find, guarded))


@pytest.fixture(scope="module")
def find_12(guarded_12: Guarded) -> Finder:
    """The same on Debian 12."""
    return cache(partial(tampering.find, guarded_12))


LONGEST_FIRST = (
    "guarded",
    "trixie",
    "release",
    "bookworm",
    "test_faults",
    "test_bootstrap-trixie",
    "test_bootstrap-bookworm",
    "guarded_12",
    "mysql",
    "test_nspawn",
    "test_beside",
)
"""Groups of tests that a worker had better not begin last."""


@pytest.hookimpl(wrapper=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> Generator[None]:
    """Gives all tests on one server to one worker, those without a server to whoever is free."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.xdist_group(group(item)))
        if tamper := parameters_of(item).get("tamper"):
            item.user_properties.append(("drift", (*tamper.finding, tamper.name)))
    yield
    order = [*LONGEST_FIRST, *(name for name in map(group_marked, items) if name), ""]
    items.sort(key=lambda item: (order.index(group_marked(item)), place_in_story(item)))


def place_in_story(item: pytest.Item) -> int:
    """A module's tests on a server of its own find it as the ones above them left it; pytest would
    begin with those for one Debian alone."""
    return (item.location[1] or 0) if "bare" in parameters_of(item) else 0


def parameters_of(item: pytest.Item) -> dict[str, Any]:
    return (
        item.callspec.params
        if isinstance(item, pytest.Function) and hasattr(item, "callspec")
        else {}
    )


def group_marked(item: pytest.Item) -> str:
    marker = item.get_closest_marker("xdist_group")
    return marker.args[0] if marker else ""


def group(item: pytest.Item) -> str:
    """The server that many tests share, or the test's module with the suite that it boots."""
    parameters = parameters_of(item)
    named = {*item.fixturenames, parameters.get("host"), parameters.get("server")}
    if item.path.parent.name == "release" and not named & {
        *("bookworm", "guarded", "guarded_12", "mysql")
    }:
        return "release"  # would make the worker with all the others on Debian 13 the last one
    for server in ("trixie", "bookworm", "mysql", "guarded_12", "guarded"):
        if server in named:
            return server
    return "-".join([item.path.stem, *filter(None, [parameters.get("bare")])])
