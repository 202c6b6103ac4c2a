"""A provider's bare server before its first contact, and its operator's projects."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from console import Console
from project import Project
from provisioned import STATE
from watcher import Way, one_login, watching

from lab import network
from lab.lab import Lab
from lab.server import LabServer

FIRST_CONTACT = ("--user", "root", "--ssh-port", "22")
ROOT, DEPLOY, MOVED = Way("root"), Way("deploy"), Way("deploy", 822)
DROP_IN = "etc/ssh/sshd_config.d/00-stagecraft.conf"
VERB = "bootstrap.py"


@dataclass
class Bare(Console):
    """A server that was just rented, and its operator's projects."""

    server: LabServer
    lab: Lab
    planned: list[str] = field(default_factory=list)

    @property
    def key(self) -> Path:
        return self.lab.directory / "key"

    def project(self, name: str, ssh_port: int = 22, **settings: Any) -> Project:
        project = Project(STATE / "projects" / f"{self.server.name}-{name}")
        self.remembered.mkdir(exist_ok=True)
        (project.directory / ".stagecraft").symlink_to(self.remembered)
        self.declare(project, ssh_port, **settings)
        return project

    @property
    def remembered(self) -> Path:
        """What a checkout knows of the server, the same in all of the operator's projects."""
        return STATE / "projects" / f"{self.server.name}-remembered"

    def declare(
        self,
        project: Project,
        ssh_port: int = 22,
        address: str = "",
        ssh_key: str | None = None,
        **settings: Any,
    ) -> None:
        """By its address with an own key, or by its name in the lab's ssh_config."""
        machine = {
            "address": address or self.server.name,
            "ssh_config": None if address else str(self.lab.ssh_config),
            "ssh_key": ssh_key,
            "ssh_port": ssh_port,
            "throwaway": True,
            "database": {"memory": "5%"},
            "host": {"admins": {"anna": [f"{self.key}.pub"]}, "timezone": "Europe/Berlin"}
            | settings,
        }
        site = {
            "domain": "askpro.test",
            "tls": {"issuer": "selfsigned"},
            "php_fpm": {"memory": "5%", "max_children": 8},
        }
        project.write(
            all={"servers": {self.server.name: machine}},
            staging={"server": self.server.name, "sites": {"askpro": site}},
        )

    def watch(self, *ways: Way) -> Any:
        return watching(self.server.address, self.key, *ways)

    def lets_in(self, way: Way) -> bool:
        return one_login(self.server.address, self.key, way)

    def file(self, path: str) -> str:
        """A file on the server, read from this machine: no login is needed."""
        try:
            return (self.server.root / path).read_text()
        except FileNotFoundError:
            return ""

    @property
    def armed(self) -> bool:
        return (self.server.root / "var/lib/stagecraft/revert").is_dir()

    @property
    def closed(self) -> bool:
        """Whether sshd's files turn root away already."""
        return "PermitRootLogin no" in self.file(DROP_IN)

    def kill_when_closed(self, project: Project) -> None:
        """Kills a first contact in the moment in which it closes the old way in."""
        run = project.start("staging", "-y", *FIRST_CONTACT, verb=VERB, stdin=subprocess.DEVNULL)
        await_(lambda: self.closed or run.poll() is not None, 200)
        run.send_signal(signal.SIGKILL)
        output, errors = run.communicate()
        assert run.returncode == -signal.SIGKILL, output + errors
        assert self.armed


def await_(condition: Callable[[], object], seconds: float) -> float:
    """The seconds until the condition held. What takes long to ask is asked less often, so that
    whoever is waited for has the machine."""
    began = asked = time.monotonic()
    while not condition():
        took = time.monotonic() - asked
        assert time.monotonic() - began < seconds, f"not within {seconds} s"
        time.sleep(max(0.005, 3 * took))
        asked = time.monotonic()
    return time.monotonic() - began


def undone(bare: Bare) -> bool:
    return bare.file(DROP_IN) == "" and not bare.armed and bare.lets_in(ROOT)


def nothing_armed(bare: Bare) -> bool:
    units = bare.shell("find /etc/systemd /run/systemd/system -name 'stagecraft-revert*'")
    timers = bare.shell("systemctl list-timers --all --no-legend 'stagecraft-*'")
    return not bare.armed and (units, timers) == ("", "")


def link_local(bare: Bare) -> str:
    """The server's IPv6 address on the network that all throwaway servers share."""
    shown = bare.shell("ip -6 -oneline address show dev host0 scope link")
    return f"{shown.split()[3].split('/')[0]}%{network.BRIDGE}"


def suite_of(version: int) -> pytest.MarkDecorator:
    """Half of what goes wrong on each: it is told apart by nothing but our own code."""
    suite = {12: "bookworm", 13: "trixie"}[version]
    return pytest.mark.parametrize("bare", [suite], indirect=True, scope="module")
