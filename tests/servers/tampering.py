"""A server under guard, and the changes that somebody makes to it behind the project's back."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from project import REPOSITORY, Project
from provisioned import STATE

from stagecraft.drift import CHECK
from stagecraft.drift.findings import Finding, Report
from stagecraft.facts.as_found import AsFound
from stagecraft.nspawn import containers
from stagecraft.nspawn.lab import Lab
from stagecraft.nspawn.server import Server
from stagecraft.paths import AS_FOUND


@dataclass
class Guarded:
    """A bootstrapped server with staging and production, and the project they come from."""

    server: Server
    project: Project
    lab: Lab

    def shell(self, command: str) -> str:
        """A command as root, by no way that is logged as a login; what it printed."""
        into = ["nsenter", f"--target={containers.leader(self.server.root)}", "--all"]
        done = subprocess.run(
            [*into, "sh", "-c", command], capture_output=True, text=True, timeout=300
        )
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout.strip()

    def as_if_bootstrapped(self) -> None:
        """Notes what bootstrap.py would have found on a throwaway server: its network's unit."""
        units = "/etc/systemd/system"
        network = {f"{units}/host0.service", f"{units}/multi-user.target.wants/host0.service"}
        self.shell(f"printf '{AsFound(files=frozenset(network)).text}' > {AS_FOUND}")

    def check(self, environment: str = "production") -> Report:
        """What the check of one environment reports, looked at below drift.py's own output."""
        report = self.project.directory / f"{environment}-report.json"
        report.unlink(missing_ok=True)
        run = self.project.pyinfra(
            environment, "--dry", "--data", f"report={report}", verb=str(CHECK)
        )
        assert report.is_file(), run.output
        return Report.model_validate_json(report.read_text())

    def drift(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """`python drift.py <arguments>` in the project."""
        return subprocess.run(
            [sys.executable, str(REPOSITORY / "drift.py"), *arguments],
            cwd=self.project.directory,
            capture_output=True,
            text=True,
            timeout=120,
        )


@dataclass(frozen=True)
class Tamper:
    """One change that an admin makes, what the check must say of it, and nothing else; and where
    the command that the finding names is not enough, what undoes it on the server."""

    change: str
    finding: tuple[str, str, str, str]
    """Its class, severity, kind and thing."""
    undo: str = ""
    environment: str = "production"

    @property
    def name(self) -> str:
        return " ".join(self.change.split())[:60]


def told(finding: Finding) -> tuple[str, str, str, str]:
    """A finding as a `Tamper` expects it."""
    return finding.class_, finding.severity, finding.kind, finding.thing


def expect_alone(guarded: Guarded, tamper: Tamper) -> Finding:
    """Makes the change, finds it and nothing else, and puts it right as the finding says. That
    nothing of it is left, the next one's check shows, and the last of a module."""
    guarded.shell(tamper.change)
    report = guarded.check(tamper.environment)
    try:
        assert [told(finding) for finding in report.findings] == [tamper.finding]
        assert not report.unchecked
        return report.findings[0]
    finally:
        if tamper.undo:
            guarded.shell(tamper.undo)
        else:
            for finding in report.findings:
                put_right(guarded, finding.remedy)


def put_right(guarded: Guarded, remedy: str) -> None:
    """What the finding names: a run, or a command on the server that somebody says yes to."""
    if run := re.fullmatch(r"pyinfra inventories/(\w+)\.py deploy\.py", remedy):
        guarded.project.apply(run[1])
    else:
        guarded.shell(f"yes | ({remedy})")


def table(results: Iterable[tuple[tuple[str, str, str, str, str], bool]]) -> Iterator[str]:
    """What was found of each change, the kinds that are alike together."""
    for (class_, severity, kind, thing, change), found in sorted(results):
        named = f"{kind} {thing}"[:60]
        yield f"{'found' if found else 'NOT FOUND':9} {class_:11} {severity:8} {named:60} {change}"


def guard(lab: Lab, name: str, suite: str) -> Guarded:
    """A server that bootstrap.py and deploy.py have brought from bare to serving."""
    server = lab.boot(name, suite)
    project = Project(STATE / "projects" / name)
    project.write(
        all={"servers": {name: machine(server, lab)}},
        staging={"server": name, "sites": {"askpro": site("staging")}},
        production={"server": name, "sites": {"askpro": site("production")}},
    )
    project.apply("staging", "--user", "root", verb="bootstrap.py")
    for environment in ("staging", "production"):
        project.apply(environment)
    server.harvest()
    return Guarded(server, project, lab)


def machine(server: Server, lab: Lab) -> dict[str, Any]:
    key = Path(lab.directory / "key.pub")
    return {
        "address": server.name,
        "ssh_config": str(lab.ssh_config),
        "throwaway": True,
        "database": {"memory": "5%"},
        "host": {"admins": {"anna": [str(key)]}, "timezone": "Europe/Berlin"},
    }


def site(environment: str) -> dict[str, Any]:
    domain = "api.askpro.test" if environment == "production" else "staging.askpro.test"
    return {
        "domain": domain,
        "tls": {"issuer": "selfsigned"},
        "php_fpm": {"memory": "5%", "max_children": 8},
        "redis": {"memory": "64mb"},
        "mark_staging": environment == "staging",
        "env": {"APP_NAME": f"AskPro ({environment})"},
    }
