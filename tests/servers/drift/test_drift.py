"""`stagecraft drift` on a real server: what it ends with, and what it says when it cannot look."""

from __future__ import annotations

import json
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from project import Project
from tampering import Guarded, machine, site

PRODUCTION, STAGING = "production", "staging"
DRIFT = [sys.executable, "-m", "stagecraft", "drift"]
NOBODY_S = 1
"""A port where nothing listens."""

MONTH = timedelta(days=30)
SYSCTL = "/etc/sysctl.d/60-stagecraft.conf"


@contextmanager
def tampered(guarded: Guarded, change: str, undo: str) -> Iterator[None]:
    guarded.shell(change)
    try:
        yield
    finally:
        guarded.shell(undo)


@pytest.fixture
def without_sysctl(guarded: Guarded) -> Iterator[None]:
    """Something that differs, whatever else is looked at."""
    with tampered(guarded, f"mv {SYSCTL} /root/", f"mv /root/60-stagecraft.conf {SYSCTL}"):
        yield


@pytest.fixture
def drift(guarded: Guarded, tmp_path: Path) -> Callable[..., tuple[int, dict[str, Any], str]]:
    """Runs it with a history of the test's own: its exit code, its JSON, and what it says on
    standard error."""

    def run(*environments: str) -> tuple[int, dict[str, Any], str]:
        history = str(tmp_path / "drift.jsonl")
        ended = guarded.drift("--json", "--history", history, *environments)
        assert ended.stdout, ended.stderr
        verdict = json.loads(ended.stdout)
        assert verdict["exit_code"] == ended.returncode
        return ended.returncode, verdict, ended.stderr

    return run


Drift = Callable[..., tuple[int, dict[str, Any], str]]


def kernel_settings(verdict: dict[str, Any]) -> list[dict[str, Any]]:
    """The findings that name what `without_sysctl` takes away."""
    return [
        finding
        for finding in verdict["findings"]
        if SYSCTL in json.dumps(finding) or "kernel settings" in finding["thing"]
    ]


# --- What it ends with ---


def test_two_inventories_of_a_clean_server(guarded: Guarded, tmp_path: Path) -> None:
    history = tmp_path / "drift.jsonl"
    ended = guarded.drift("--history", str(history), PRODUCTION, STAGING)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    lines = ended.stdout.splitlines()
    assert lines[0] == "guarded: as declared"
    assert lines[-1] == "Clean: the servers are what the files say"
    assert "\x1b" not in ended.stdout
    assert ended.stderr == ""
    assert oct(history.stat().st_mode & 0o777) == "0o600"


@pytest.mark.usefixtures("without_sysctl")
def test_drift_is_new_then_known_then_resolved(guarded: Guarded, drift: Drift) -> None:
    code, first, _ = drift(PRODUCTION)
    assert code == 2
    assert {finding["status"] for finding in kernel_settings(first)} == {"new"}
    _, second, _ = drift(PRODUCTION)
    assert {finding["status"] for finding in kernel_settings(second)} == {"known"}
    assert {finding["first_seen"] for finding in second["findings"]} == {first["checked_at"]}
    guarded.shell(f"cp -p /root/60-stagecraft.conf {SYSCTL}")
    code, third, _ = drift(PRODUCTION)
    assert (code, third["findings"]) == (0, [])
    assert {gone["id"] for gone in third["resolved"]} == {f["id"] for f in second["findings"]}


@pytest.mark.usefixtures("without_sysctl")
def test_a_waived_difference_is_no_drift_and_shows(guarded: Guarded, drift: Drift) -> None:
    _, verdict, _ = drift(PRODUCTION)
    waivers = guarded.project.directory / "waivers.yml"
    body = {"reason": "trying without", "owner": "anna", "until": str(date.today() + MONTH)}
    text = yaml.safe_dump({finding["id"]: body.copy() for finding in verdict["findings"]})
    waivers.write_text(text)
    try:
        code, verdict, _ = drift(PRODUCTION)
        assert code == 0
        assert {finding["waived"]["owner"] for finding in verdict["findings"]} == {"anna"}
    finally:
        waivers.unlink()


def test_what_somebody_answers_for_is_accepted_until_it_changes(
    guarded: Guarded, drift: Drift
) -> None:
    accepted = guarded.project.directory / "accepted.yml"
    guarded.shell("printf '#!/bin/sh\n' >/usr/local/bin/agent")
    try:
        ended = guarded.drift(PRODUCTION, "--accept", "--owner", "anna", "--because", "backups")
        assert (ended.returncode, ended.stderr) == (0, "")
        assert "1 accepted: review accepted.yml, and commit it" in ended.stdout
        code, verdict, _ = drift(PRODUCTION)
        assert code == 0
        assert [f["waived"]["owner"] for f in verdict["findings"]] == ["anna"]
        guarded.shell("echo reboot >>/usr/local/bin/agent")
        code, verdict, _ = drift(PRODUCTION)
        assert code == 2
        assert "program /usr/local/bin/agent" in verdict["findings"][0]["id"]
    finally:
        accepted.unlink(missing_ok=True)
        guarded.shell("rm /usr/local/bin/agent")


@pytest.mark.parametrize(
    ("thing", "why"),
    [
        ("/usr/bin/env", "of coreutils"),
        ("/etc/passwd", "made by itself: the accounts"),
        ("/etc/nginx/conf.d/stagecraft.conf", "declared: a run of deploy.py manages it"),
        ("anna", "declared: an account"),
        ("nginx.service", "declared: a unit"),
        ("nobody-knows", "nothing here is called nobody-knows"),
    ],
)
def test_why_a_thing_is_accepted(guarded: Guarded, thing: str, why: str) -> None:
    ended = guarded.drift(PRODUCTION, "--explain", thing)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert f"{thing}: " in ended.stdout
    assert why in ended.stdout


def test_bytecode_is_compared_with_its_source(guarded: Guarded) -> None:
    """All of it with --full: packages compile in the hour in which they are unpacked."""
    compiled = guarded.shell("echo /usr/lib/python3.*/__pycache__/antigravity.cpython-*[0-9].pyc")
    other = compiled.replace("antigravity", "ast")
    # With the header of the right one: Python would compile it again otherwise.
    guarded.shell(
        f"cp -p {compiled} /root/pyc"
        f" && {{ head -c 16 /root/pyc; tail -c +17 {other}; }} >{compiled}"
    )
    ended = guarded.drift(PRODUCTION, "--full")
    guarded.shell(f"mv /root/pyc {compiled}")
    assert ended.returncode == 2
    assert f"unmanaged compiled Python {compiled}" in ended.stdout
    assert "Drift: 1 finding" in ended.stdout


# --- When it cannot look ---


@pytest.fixture
def beside(guarded: Guarded, tmp_path: Path) -> Callable[..., Project]:
    """A project whose production is on the guarded server, and whose staging is where the
    arguments say."""

    def make(**server: object) -> Project:
        project = Project(tmp_path / "project")
        here, other = (machine(guarded.server, guarded.lab) for _ in range(2))
        project.write(
            all={"servers": {guarded.server.name: here, "other": other | server}},
            production={"server": guarded.server.name, "sites": {"askpro": site("production")}},
            staging={"server": "other", "sites": {"askpro": site("staging")}},
        )
        secrets = Path(".stagecraft/secrets")
        ours, theirs = guarded.project.directory, project.directory
        shutil.copytree(ours / secrets, theirs / secrets)
        shutil.copy(ours / ".stagecraft/identity", theirs / ".stagecraft/identity")
        return project

    return make


Beside = Callable[..., Project]


def check(project: Project, *environments: str) -> tuple[int, dict[str, Any]]:
    ended = subprocess.run(
        [*DRIFT, "--json", *environments],
        cwd=project.directory,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert ended.stdout, ended.stderr
    return ended.returncode, json.loads(ended.stdout)


def closed_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


@pytest.mark.usefixtures("without_sysctl")
def test_a_server_that_is_away_is_unknown_and_the_others_are_told(beside: Beside) -> None:
    project = beside(address="127.0.0.1", ssh_config=None, ssh_port=NOBODY_S)
    code, verdict = check(project, STAGING, PRODUCTION)
    assert code == 1
    [gap] = verdict["unknown"]
    assert (gap["server"], gap["environment"], gap["area"]) == ("other", "staging", "everything")
    assert gap["reason"].startswith("it cannot be reached: Could not connect")
    assert kernel_settings(verdict)
    assert verdict["servers"] == ["guarded"]


def test_a_login_that_is_refused(guarded: Guarded, beside: Beside, tmp_path: Path) -> None:
    key, address = tmp_path / "key", guarded.server.address
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    project = beside(address=address, ssh_config=None, ssh_key=str(key))
    pinned = (guarded.server.root / "etc/ssh/ssh_host_ed25519_key.pub").read_text()
    (project.directory / "known_hosts").write_text(f"{address} {pinned}")
    code, verdict = check(project, STAGING)
    assert code == 1
    assert "the login as deploy was refused" in verdict["unknown"][0]["reason"]


@pytest.mark.parametrize(
    ("pinned", "words"),
    [(True, "its host key is not the pinned one"), (False, "its host key is not pinned")],
)
def test_a_host_key_that_nobody_knows(
    guarded: Guarded, beside: Beside, pinned: bool, words: str
) -> None:
    """Not even the first time is it taken on trust."""
    address = guarded.server.address
    key = guarded.lab.directory / "key"
    project = beside(address=address, ssh_config=None, ssh_key=str(key))
    known_hosts = project.directory / "known_hosts"
    known = f"{address} {key.with_suffix('.pub').read_text()}" if pinned else ""
    known_hosts.write_text(known)
    code, verdict = check(project, STAGING)
    assert code == 1
    assert words in verdict["unknown"][0]["reason"]
    assert known_hosts.read_text() == known


def test_sudo_that_is_refused(guarded: Guarded, drift: Drift) -> None:
    sudoers = "/etc/sudoers.d/stagecraft"
    with tampered(guarded, f"mv {sudoers} /root/sudoers", f"mv /root/sudoers {sudoers}"):
        code, verdict, _ = drift(PRODUCTION)
    assert code == 1
    assert "sudo was refused" in verdict["unknown"][0]["reason"]


# --- When the server is not well ---


@pytest.mark.usefixtures("without_sysctl")
def test_with_the_database_down_all_else_is_told(guarded: Guarded, drift: Drift) -> None:
    with tampered(guarded, "systemctl stop mariadb", "systemctl start mariadb"):
        code, verdict, _ = drift(PRODUCTION)
    assert code == 1
    assert {gap["area"] for gap in verdict["unknown"]} == {"databases"}
    assert kernel_settings(verdict)
    down = [finding for finding in verdict["findings"] if finding["thing"] == "mariadb.service"]
    assert [(found["class"], found["severity"]) for found in down] == [("managed", "critical")]


def test_with_half_of_its_tools_broken_all_else_is_told(guarded: Guarded, drift: Drift) -> None:
    """A tool that fails is not one that finds nothing."""
    tools = " ".join(f"/usr/bin/{tool}" for tool in ("ss", "df", "ps", "dpkg-query", "openssl"))
    with (
        tampered(
            guarded,
            f"for tool in {tools}; do mount --bind /usr/bin/false $tool; done",
            f"umount {tools}",
        ),
        tampered(guarded, "gpasswd --add www-data sudo", "gpasswd --delete www-data sudo"),
    ):
        code, verdict, _ = drift(PRODUCTION)
    assert code == 1
    unknown = {gap["area"] for gap in verdict["unknown"]}
    assert {"ports", "disks", "services", "packages", "certificate lifetimes"} <= unknown
    assert "www-data in sudo" in {finding["thing"] for finding in verdict["findings"]}


@pytest.mark.parametrize(
    ("tool", "blind", "words"),
    [
        ("xargs", {"replaced files", "loaded code"}, "processes.sh failed on the server"),
        (
            "sort",
            {"services", "replaced files", "loaded code"},
            "processes.sh failed on the server",
        ),
        (
            "find",
            {"vhosts", "rights", "programs", "other files"},
            "unpackaged.sh failed on the server",
        ),
        ("sed", {"ports"}, ""),
    ],
)
def test_what_a_broken_tool_would_have_found_is_unknown(
    guarded: Guarded, drift: Drift, tool: str, blind: set[str], words: str
) -> None:
    broken = f"mount --bind /usr/bin/false /usr/bin/{tool}"
    with tampered(guarded, broken, f"umount /usr/bin/{tool}"):
        code, verdict, _ = drift(PRODUCTION)
    assert code == 1
    unknown = {gap["area"]: gap["reason"] for gap in verdict["unknown"]}
    assert blind <= unknown.keys()
    assert all(words in unknown[area] for area in blind)


def test_a_full_disk_does_not_blind_it(guarded: Guarded, drift: Drift) -> None:
    places = "/tmp /var/tmp"
    full = "mount -t tmpfs -o size=16k full $p && { head -c 32k /dev/zero >$p/fill || true; }"
    with tampered(
        guarded,
        f"for p in {places}; do {full} 2>/dev/null; done",
        f"umount {places}",
    ):
        code, verdict, _ = drift(PRODUCTION)
    assert verdict["unknown"] == []
    assert code == (2 if verdict["findings"] else 0)
    assert {finding["class"] for finding in verdict["findings"]} <= {"wearing out"}


# --- Beside the check ---


@pytest.mark.usefixtures("without_sysctl")
def test_a_dead_notifier_changes_neither_report_nor_code(
    drift: Drift, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STAGECRAFT_NOTIFY", f"json://127.0.0.1:{closed_port()}/t0ken")
    code, verdict, said = drift(PRODUCTION)
    assert code == 2
    assert kernel_settings(verdict)
    assert verdict["problems"] == ["notification 1 of 1 (JSON) was not accepted"]
    assert said == "Error: notification 1 of 1 (JSON) was not accepted\n"


def test_ctrl_c(guarded: Guarded, tmp_path: Path) -> None:
    history = tmp_path / "drift.jsonl"
    command = [*DRIFT, "--history", str(history), PRODUCTION]
    process = subprocess.Popen(
        command, cwd=guarded.project.directory, stderr=subprocess.PIPE, text=True
    )
    time.sleep(1.5)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "Traceback" not in said
    assert not history.exists()


def test_two_checks_at_once(guarded: Guarded, tmp_path: Path) -> None:
    history = tmp_path / "drift.jsonl"
    command = [*DRIFT, "--history", str(history)]
    both = [
        subprocess.Popen([*command, environment], cwd=guarded.project.directory)
        for environment in (PRODUCTION, STAGING)
    ]
    assert [process.wait(timeout=120) for process in both] == [0, 0]
    nights = [json.loads(line) for line in history.read_text().splitlines()]
    assert sorted(night["checked"][0][1] for night in nights) == ["production", "staging"]
