"""A server under guard, and the changes that somebody makes to it behind the project's back."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from _pytest.mark import ParameterSet
from console import Console
from project import Project
from provisioned import STATE

from lab.lab import Lab
from lab.server import LabServer
from stagecraft import known_records
from stagecraft.drift import CHECK
from stagecraft.drift.findings import THEN, Finding, Report
from stagecraft.drift.judging.order import in_order
from stagecraft.facts.as_found import AsFound
from stagecraft.known_records import KnownRecords
from stagecraft.paths import AS_FOUND
from stagecraft.settings import read


@dataclass
class Guarded(Console):
    """A bootstrapped server with staging and production, and the project they come from."""

    server: LabServer
    project: Project
    lab: Lab

    def as_if_bootstrapped(self) -> None:
        """Notes what bootstrap.py would have found on a throwaway server: its network's unit."""
        units = "/etc/systemd/system"
        network = {f"{units}/host0.service", f"{units}/multi-user.target.wants/host0.service"}
        text = AsFound(files=frozenset(network)).text
        self.shell(f"printf '{text}' > {AS_FOUND}")
        self.known_records.note(known_records.AS_FOUND, text)

    @property
    def known_records(self) -> KnownRecords:
        root = self.project.directory
        server = read(next(root.glob("inventories/*.py")).stem, root).server
        return known_records.known_records(server, root)

    def check(self, environment: str = "production", full: bool = False) -> Report:
        """What the check of one environment reports, looked at below the command's own output."""
        report = self.project.directory / f"{environment}-report.json"
        report.unlink(missing_ok=True)
        data = ["--data", f"report={report}", *["--data", "full=true"] * full]
        run = self.project.pyinfra(environment, "--dry", *data, verb=str(CHECK))
        assert report.is_file(), run.output
        return Report.model_validate_json(report.read_text())

    def drift(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """`stagecraft drift <arguments>` in the project."""
        return subprocess.run(
            [sys.executable, "-m", "stagecraft", "drift", *arguments],
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


@dataclass(frozen=True)
class Found:
    """What one check said of changes that were made together, each to another thing, and which of
    the remedies that it named did not work."""

    tampers: Sequence[Tamper]
    report: Report
    failures: Sequence[AssertionError]

    def alone(self, tamper: Tamper) -> Finding:
        """The change's finding: there is no second one of it, and none that nobody expects."""
        others = {other.finding for other in self.tampers if other is not tamper}
        [finding] = [found for found in self.report.findings if told(found) not in others]
        assert told(finding) == tamper.finding
        assert not self.report.unchecked
        assert not self.failures
        return finding


Finder = Callable[[tuple[Tamper, ...]], Found]


def expect_alone(guarded: Guarded, tamper: Tamper) -> Finding:
    """Makes the change, finds it and nothing else, and puts it right as the finding says."""
    return find(guarded, (tamper,)).alone(tamper)


def find(guarded: Guarded, tampers: tuple[Tamper, ...]) -> Found:
    """Makes the changes, checks, and puts all right as the report says. That nothing of it is left,
    the next check shows, and the last of a module."""
    [environment] = {tamper.environment for tamper in tampers}
    for tamper in tampers:
        guarded.shell(tamper.change)
    report = guarded.check(environment)
    for tamper in reversed(tampers):
        if tamper.undo:
            guarded.shell(tamper.undo)
    undone = {tamper.finding for tamper in tampers if tamper.undo}
    remedied = [finding for finding in report.findings if told(finding) not in undone]
    return Found(tampers, report, list(failures(guarded, remedied)))


def in_rounds(tampers: Iterable[Tamper], *apart: str) -> list[ParameterSet]:
    """Parameters of a test of each change: those that are made together with it, and itself. No
    two of them match the same pattern of `apart`: one would hide the other."""
    together = [tuple(round) for round in rounds(tampers, apart)]
    return [pytest.param(round, one, id=one.name) for round in together for one in round]


def rounds(tampers: Iterable[Tamper], apart: Sequence[str] = ()) -> list[list[Tamper]]:
    """As few as there are changes of one thing: a check takes seconds, however much it finds."""
    made: list[tuple[list[Tamper], set[str]]] = []
    for tamper in tampers:
        told_of = f"{tamper.change} {tamper.finding[-1]}"
        things = {tamper.finding[-1], *(p for p in apart if re.search(p, told_of))}
        for round, taken in made:
            if not taken & things:
                round.append(tamper)
                taken.update(things)
                break
        else:
            made.append(([tamper], things))
    return [round for round, _ in made]


def failures(guarded: Guarded, findings: Iterable[Finding]) -> Iterator[AssertionError]:
    """Puts the findings right, from the first to the last, and yields what did not work. A run puts
    right all that name it, so it waits for the last of them."""
    steps = [step for finding in in_order(findings) for step in finding.remedy.split(THEN)]
    for step in reversed(dict.fromkeys(reversed(steps))):
        try:
            put_right(guarded, step)
        except AssertionError as failure:
            yield failure


def put_right(guarded: Guarded, remedy: str) -> None:
    """What a finding names: a command on the server that somebody says yes to, a run, or both."""
    for step in remedy.split(THEN):
        if run := re.fullmatch(r"pyinfra inventories/(\w+)\.py deploy\.py", step):
            guarded.project.apply(run[1])
        else:
            guarded.shell(f"yes | ({step})")


def table(results: Iterable[tuple[tuple[str, str, str, str, str], bool]]) -> Iterator[str]:
    """What was found of each change, the kinds that are alike together."""
    for (class_, severity, kind, thing, change), found in sorted(results):
        named = f"{kind} {thing}"[:60]
        yield f"{'found' if found else 'NOT FOUND':9} {class_:11} {severity:8} {named:60} {change}"


def guard(lab: Lab, name: str, suite: str, locale: str = "C.UTF-8") -> Guarded:
    """A server that bootstrap.py and deploy.py have brought from bare to serving."""
    server = lab.boot(name, suite)
    project = Project(STATE / "projects" / name)
    project.write(
        all={"servers": {name: machine(server, lab, locale)}},
        staging={"server": name, "sites": {"askpro": site("staging")}},
        production={"server": name, "sites": {"askpro": site("production")}},
    )
    project.apply("staging", "--user", "root", verb="bootstrap.py")
    for environment in ("staging", "production"):
        project.apply(environment)
    server.harvest()
    return Guarded(server, project, lab)


def machine(server: LabServer, lab: Lab, locale: str = "C.UTF-8") -> dict[str, Any]:
    key = Path(lab.directory / "key.pub")
    return {
        "address": server.name,
        "ssh_config": str(lab.ssh_config),
        "throwaway": True,
        "database": {"memory": "5%"},
        "host": {
            "admins": {"anna": [str(key)]},
            "timezone": "Europe/Berlin",
            "locale": locale,
        },
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
