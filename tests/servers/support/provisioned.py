"""Servers that runs have brought from bare to serving, and the settings they were given."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pebble import Pebble
from project import REPOSITORY, Project
from web import Web

from lab import containers
from lab.lab import Lab
from lab.server import LabServer
from stagecraft.secrets import secrets_for
from stagecraft.settings import Environment, Site, read

WORKER = os.environ.get("PYTEST_XDIST_WORKER")
CONNECTIONS = TemporaryDirectory(prefix="stagecraft-")
STATE = REPOSITORY / ".stagecraft" / (f"tests-{WORKER}" if WORKER else "tests")
"""A lab for each of the processes that share the tests."""


LONGEST_DOMAIN = ".".join(["a" * 63] * 3 + ["a" * 56, "test"])


@dataclass
class Provisioned:
    """A server that runs have brought from bare to serving, and what they said on the way."""

    server: LabServer
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

    @property
    def qa(self) -> tuple[str, str]:
        """The login that staging's basic auth admits."""
        return "qa", self.secret("BASIC_AUTH_QA")

    def ssh(self, command: str, input: str = "", timeout: float = 120) -> str:
        """A command as root; what it printed."""
        done = self._as_root(command, input, timeout)
        assert done.returncode == 0, f"`{command}`: {done.stdout}{done.stderr}"
        return done.stdout.strip()

    def succeeds(self, command: str) -> bool:
        return self._as_root(command).returncode == 0

    def _as_root(
        self, command: str, input: str = "", timeout: float = 120
    ) -> subprocess.CompletedProcess[str]:
        """Over a connection that stays: a login takes ten times what most commands take."""
        if self.server.user != "root":
            command = f"sudo sh -c {quote(command)}"
        return subprocess.run(
            [*self._ssh("-o", "ControlMaster=auto", "-o", "ControlPersist=20"), "--", command],
            input=input,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    @contextmanager
    def released(self, site: Site, **public: str) -> Iterator[str]:
        """A release with these files in its public directory, by name without `.php`, is the
        current one while this lasts."""
        name = f"test-{sum(map(hash, public.values())) % 10**8}"
        directory = f"{site.home}/releases/{name}/public"
        self.ssh(f"umask 022; mkdir -p {directory}")
        for file, content in public.items():
            self.ssh(f"umask 022; cat > {directory}/{file}.php", input=content)
        before = self.ssh(f"readlink {site.home}/current")
        self.switch(site, f"releases/{name}")
        try:
            yield directory
        finally:
            self.switch(site, before)
            self.ssh(f"rm -r {site.home}/releases/{name}")

    def switch(self, site: Site, release: str) -> None:
        """Makes it the current one, as a deployment does."""
        self.ssh(f"cd {site.home} && ln -s {release} next && mv -T next current")

    def reboot(self) -> None:
        """As a provider's reset button does."""
        self.hang_up()
        self.server.reboot()

    def cut_power(self) -> None:
        """Nothing on it ends in good order. It is on again afterwards."""
        self.hang_up()
        containers.kill(self.server.root)
        self.server.power_on()

    def hang_up(self) -> None:
        """Ends the connection that stays; the next command logs in anew."""
        subprocess.run(self._ssh("-O", "exit"), capture_output=True, check=False)

    def _ssh(self, *options: str) -> list[str]:
        ssh, *words = self.server.ssh_command()
        return [ssh, "-o", f"ControlPath={CONNECTIONS.name}/%n", *options, *words]


def quote(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


def bound(port: int, protocol: str = "tcp") -> str:
    """A command that waits until a program has the port; it fails after ten seconds."""
    listens = f"ss -Hl{protocol[0]}n 'sport = :{port}' | grep -q ."
    return f"timeout 10 sh -c {quote(f'until {listens}; do sleep 0.05; done')}"


def provision(server: LabServer, project: Project, environments: list[str]) -> Provisioned:
    """Plans and applies each environment in turn, the first on the bare server."""
    provisioned = Provisioned(server, project, environments)
    for name in environments:
        provisioned.planned[name] = project.plan(name)
        provisioned.changed[name] = project.apply(name)
    server.harvest()
    return provisioned


def machine(server: LabServer, lab: Lab, pebble: Pebble | None = None) -> dict[str, Any]:
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


def debian_unstable(server: LabServer) -> dict[str, Any]:
    """The unstable suite of the mirror that the server knows already."""
    mirror = server.ssh("awk '$1 == \"deb\" {print $2; exit}' /etc/apt/sources.list").stdout
    return {"uris": [mirror.strip()], "suites": ["unstable"], "pin": 50, "check_valid_until": False}


def staging(server: LabServer, issuer: str) -> dict[str, Any]:
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
