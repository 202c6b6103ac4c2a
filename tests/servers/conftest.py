"""Real servers, each booted and provisioned once for the whole session, from bare to serving."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from pebble import Pebble, set_up
from project import REPOSITORY, Project
from web import Web

from stagecraft.nspawn.lab import Lab
from stagecraft.nspawn.server import Server
from stagecraft.secrets import secrets_for
from stagecraft.settings import Environment, Site, read

STATE = REPOSITORY / ".stagecraft/tests"


@dataclass
class Provisioned:
    """A server that runs have brought from bare to serving, and what they said on the way."""

    server: Server
    project: Project
    environments: list[str]
    planned: dict[str, list[str]] = field(default_factory=dict)
    changed: dict[str, list[str]] = field(default_factory=dict)

    @property
    def web(self) -> Web:
        return Web(self.server.address)

    def environment(self, name: str = "staging") -> Environment:
        return read(name, self.project.directory)

    def site(self, key: str = "askpro", environment: str = "staging") -> Site:
        return self.environment(environment).site(key)

    def secret(self, name: str, key: str = "askpro", environment: str = "staging") -> str:
        return secrets_for(environment, self.project.directory)[key][name].reveal()

    def ssh(self, command: str, **arguments: Any) -> str:
        """A command as root; what it printed."""
        if self.server.user != "root":
            command = f"sudo sh -c {quote(command)}"
        return self.server.ssh(command, **arguments).stdout.strip()

    def succeeds(self, command: str) -> bool:
        if self.server.user != "root":
            command = f"sudo sh -c {quote(command)}"
        return self.server.ssh(command, check=False).returncode == 0


def quote(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


def provision(server: Server, project: Project, environments: list[str]) -> Provisioned:
    """Plans and applies each environment in turn, the first on the bare server."""
    provisioned = Provisioned(server, project, environments)
    for name in environments:
        provisioned.planned[name] = project.plan(name)
        provisioned.changed[name] = project.apply(name)
    server.harvest()
    return provisioned


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


def machine(server: Server, lab: Lab, pebble: Pebble | None = None) -> dict[str, Any]:
    """all.yml for one server whose secrets make themselves."""
    data: dict[str, Any] = {
        "servers": {
            server.name: {
                "address": server.name,
                "ssh_config": str(lab.ssh_config),
                "ssh_user": server.user,
                "throwaway": True,
                "database": {"memory": "5%"},
            }
        },
        "site_defaults": {"upload_limit": "6M", "php_fpm": {"memory": "5%", "max_children": 8}},
    }
    if pebble:
        bundle = Path(STATE / "pebble.pem")
        bundle.write_text(pebble.https_certificate)
        data["issuers"] = {"pebble": {"directory": pebble.directory, "ca_bundle": str(bundle)}}
    return data


def debian_unstable(server: Server) -> dict[str, Any]:
    """The unstable suite of the mirror that the server knows already."""
    mirror = server.ssh("awk '$1 == \"deb\" {print $2; exit}' /etc/apt/sources.list").stdout
    return {"uris": [mirror.strip()], "suites": ["unstable"], "pin": 50, "check_valid_until": False}


def staging(server: Server, issuer: str) -> dict[str, Any]:
    """The seeds' staging site behind basic auth, and a second site with an allow list."""
    return {
        "server": server.name,
        "sites": {
            "askpro": {
                "domain": "staging.askpro.test",
                "aliases": ["www.staging.askpro.test"],
                "database": {"name": "askproai_staging", "user": "askproai_staging"},
                "redis": {"prefix": "askpro_staging_", "memory": "64mb"},
                "tls": {"issuer": issuer},
                "protect": {"basic_auth": ["qa"]},
                "env": {"APP_NAME": 'AskPro "AI" Gateway ($taging)', "APP_DEBUG": True},
                "features": {
                    "customer_portal": True,
                    "customer_portal_calls": True,
                    "customer_portal_crm": False,
                },
                "secrets": ["RETELL_API_KEY"],
            },
            "shop": {
                "domain": "shop.test",
                "tls": {"issuer": issuer},
                "upload_limit": "2M",
                "protect": {"admin_allow": ["198.51.100.0/24"]},
            },
        },
    }
