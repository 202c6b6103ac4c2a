"""The servers that are measured: bare ones, one with a site, and ten of that kind."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from console import Console
from project import Project
from relay import Relay

from lab.lab import Lab
from lab.server import LabServer
from stagecraft.facts.machine import Machine, MachineFact
from stagecraft.packages import wanted
from stagecraft.settings import REPOSITORY, read

STATE = REPOSITORY / ".stagecraft/bench"
DELAY = 0.015
"""Seconds each way; 30 ms there and back is a server at some 2000 km."""

SITE = {
    "domain": "staging.askpro.test",
    "aliases": ["www.staging.askpro.test"],
    "database": {"name": "askproai_staging", "user": "askproai_staging"},
    "redis": {"prefix": "askpro_staging_", "memory": "64mb"},
    "tls": {"issuer": "selfsigned"},
    "protect": {"basic_auth": ["qa"]},
    "secrets": ["RETELL_API_KEY"],
}

TOGETHER = """
from pathlib import Path
from stagecraft.inventory import load

_hosts = []
for _root in {roots!r}:
    ((_name, _connection),), _data = load("staging", Path(_root))
    _hosts.append((_name, {{**_data, **_connection}}))
staging = (_hosts, {{}})
"""


@dataclass
class Subject(Console):
    """A server, and the project that it is provisioned from."""

    server: LabServer
    project: Project
    ssh_config: Path
    host: dict[str, Any] | None = None

    @property
    def memory(self) -> Path:
        return self.project.directory / ".stagecraft/prefetched"

    def reach(self, ssh_config: Path) -> None:
        """Goes by this SSH configuration from now on."""
        self.ssh_config = ssh_config
        machine = settings(self.server, ssh_config, self.host)
        self.project.write(all=machine, staging=environment(self.server))

    def packages(self) -> list[str]:
        """What a run installs."""
        output = self.server.ssh(str(MachineFact().command())).stdout
        machine = cast(Machine, MachineFact().process(output.splitlines()))
        return wanted(read("staging", self.project.directory), machine)

    def channels(self) -> int:
        """How many commands sshd has begun so far, this question included."""
        journal = "journalctl --sync; journalctl --quiet --unit=ssh"
        return int(self.server.ssh(f"{journal} | grep -c 'Starting session'").stdout)


def settings(server: LabServer, ssh_config: Path, host: dict[str, Any] | None) -> dict[str, Any]:
    entry = {
        "address": server.name,
        "ssh_config": str(ssh_config),
        "ssh_user": "deploy" if host else server.user,
        "host": host,
        "throwaway": True,
        "database": {"memory": "5%"},
    }
    return {"servers": {server.name: entry}}


def environment(server: LabServer) -> dict[str, Any]:
    return {"server": server.name, "sites": {"askpro": SITE}}


def rented(lab: Lab, name: str) -> Subject:
    """A new server that bootstrap.py is to close."""
    lab.down(name)
    server = lab.boot(name)
    return subject_of(server, lab, {"admins": {"anna": [str(lab.directory / "key.pub")]}})


def bare(lab: Lab, name: str, image: Path | None = None) -> Subject:
    """A new server that nothing has been done to, whose sshd writes down every command."""
    lab.down(name)
    server = lab.boot(name, image=image)
    server.ssh(
        "mkdir -p /etc/ssh/sshd_config.d;"
        " echo LogLevel VERBOSE > /etc/ssh/sshd_config.d/verbose.conf; systemctl reload ssh"
    )
    return subject_of(server, lab)


def subject_of(server: LabServer, lab: Lab, host: dict[str, Any] | None = None) -> Subject:
    directory = STATE / "projects" / server.name
    shutil.rmtree(directory, ignore_errors=True)
    subject = Subject(server, Project(directory), lab.ssh_config, host)
    subject.reach(lab.ssh_config)
    return subject


def copies(lab: Lab, original: Subject, count: int) -> list[Subject]:
    """So many servers like the original, itself among them."""
    image = STATE / "image"
    shutil.rmtree(image, ignore_errors=True)
    original.server.snapshot(image)
    subjects = [original]
    for number in range(2, count + 1):
        copy = bare(lab, f"copy-{number}", image)
        secrets = Path(".stagecraft/secrets")
        shutil.copytree(original.project.directory / secrets, copy.project.directory / secrets)
        subjects.append(copy)
    shutil.rmtree(image)
    return subjects


def together(subjects: list[Subject]) -> Project:
    """A project whose inventory has all of them."""
    directory = STATE / "projects/together"
    shutil.rmtree(directory, ignore_errors=True)
    project = Project(directory)
    roots = [str(subject.project.directory) for subject in subjects]
    (directory / "inventories/staging.py").write_text(TOGETHER.format(roots=roots))
    return project


@contextmanager
def far(subjects: list[Subject], lab: Lab) -> Iterator[None]:
    """While this lasts, `DELAY` lies between the subjects and this machine."""
    wires = STATE / "wires"
    wires.mkdir(exist_ok=True)
    with ExitStack() as stack:
        for subject in subjects:
            relay = stack.enter_context(Relay(subject.server.address, delay=DELAY))
            subject.reach(relay.ssh_config(subject.server, wires))
            stack.callback(subject.reach, lab.ssh_config)
        yield
