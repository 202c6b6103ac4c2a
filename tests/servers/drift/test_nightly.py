"""nightly.py makes of a machine one that checks another every night, with least rights."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from console import Console
from project import REPOSITORY
from tampering import Guarded, machine, site

from lab.lab import Lab
from lab.server import LabServer
from tasks.nightly import ACCOUNT, HOME, KEY, NOTIFY

CHECKOUT = "/srv/stagecraft"
ENVIRONMENTS = ("production", "staging")
SERVICE = f"{ACCOUNT}.service"
SUITES = {(3, 11): "bookworm", (3, 13): "trixie"}
"""Whose Python runs what this one's .venv holds."""

LISTENER = """
import http.server
class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        open("/root/heard", "ab").write(body + b"\\n")
        self.send_response(200)
        self.end_headers()
http.server.HTTPServer(("127.0.0.1", 8099), Handler).serve_forever()
"""


@dataclass
class Checker(Console):
    server: LabServer

    @property
    def checkout(self) -> Path:
        return self.server.root / CHECKOUT[1:]

    def nightly(self, *arguments: str) -> dict[str, Any]:
        """`pyinfra @local nightly.py`, as its manual says; what it did, or would do."""
        command = f".venv/bin/pyinfra --json {' '.join(arguments)} @local nightly.py"
        return json.loads(self.shell(f"cd {CHECKOUT} && PYINFRA_PROGRESS=off {command}"))

    def check(self) -> tuple[str, str]:
        """A night: how the service ended, and what the journal has of it."""
        self.shell("journalctl --rotate --quiet; journalctl --vacuum-time=1s --quiet")
        self.shell(f"systemctl start {SERVICE} || true; journalctl --sync")
        status = self.shell(f"systemctl show --property=ExecMainStatus --value {SERVICE}")
        state = self.shell(f"systemctl is-failed {SERVICE} || true")
        said = self.shell(f"journalctl --quiet --output=cat --unit={SERVICE}")
        return f"{status} {state}", said


@pytest.fixture(scope="module")
def checker(lab: Lab, guarded: Guarded) -> Iterator[Checker]:
    """A machine with the project on it, and the guarded server as what it is to check."""
    suite = SUITES.get(sys.version_info[:2])
    if suite is None:
        pytest.skip(f"no Debian here has this Python, {sys.version_info[:2]}")
    server = lab.boot("checker", suite)
    checker = Checker(server)
    checker.shell("apt-get install --quiet --yes --no-install-recommends python3 </dev/null")
    unpack(checker)
    checker.nightly("-y", f"--data environments={','.join(ENVIRONMENTS)}")
    write(guarded, checker.checkout, settings(guarded, checker))
    yield checker
    lab.down("checker")


def unpack(checker: Checker) -> None:
    """What `git clone` and `make .venv/complete` leave, without asking anybody for packages."""
    checkout = checker.checkout
    checkout.mkdir(parents=True)
    for name in ("config.py", "deploy.py", "nightly.py"):
        shutil.copy(REPOSITORY / name, checkout)
    for name in ("stagecraft", "tasks", "templates"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(REPOSITORY / name, checkout / name, ignore=ignored)
    (checkout / "inventories").mkdir()
    for name in ENVIRONMENTS:
        inventory = f'from stagecraft.inventory import load\n\n{name} = load("{name}")\n'
        (checkout / f"inventories/{name}.py").write_text(inventory)
    checker.shell(f"python3 -m venv --without-pip {CHECKOUT}/.venv")
    packages = next(checkout.glob(".venv/lib/python3.*/site-packages"))
    ours = REPOSITORY / packages.relative_to(checkout)
    shutil.copytree(ours, packages, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__edit*"))
    (packages / "stagecraft.pth").write_text(f"{CHECKOUT}\n")
    for name in ("pyinfra", "stagecraft"):
        lines = (REPOSITORY / ".venv/bin" / name).read_text().splitlines()
        program = checkout / ".venv/bin" / name
        program.write_text("\n".join([f"#!{CHECKOUT}/.venv/bin/python", *lines[1:], ""]))
        program.chmod(0o755)
    checker.shell(f"chmod -R go+rX {CHECKOUT}")


def settings(guarded: Guarded, checker: Checker) -> dict[str, Any]:
    """The guarded server as the checker reaches it, which may log in as `deploy`."""
    server = machine(guarded.server, guarded.lab)
    admin = (guarded.lab.directory / "key.pub").read_text().strip()
    server["host"] |= {"admins": {"anna": [admin]}, "deploy": [checker.shell(f"cat {KEY}.pub")]}
    server |= {"address": guarded.server.address, "throwaway": False}
    del server["ssh_config"]
    return {"servers": {guarded.server.name: server}}


def write(guarded: Guarded, checkout: Path, all: dict[str, Any]) -> None:
    (checkout / "group_data").mkdir()
    files = {"all": all}
    for name in ("production", "staging"):
        files[name] = {"server": guarded.server.name, "sites": {"askpro": site(name)}}
    for name, data in files.items():
        (checkout / f"group_data/{name}.yml").write_text(yaml.safe_dump(data))
    key = (guarded.server.root / "etc/ssh/ssh_host_ed25519_key.pub").read_text()
    (checkout / "known_hosts").write_text(f"{guarded.server.address} {key}")
    shutil.copy(guarded.known_records.path, checkout / "known_records")


@pytest.fixture(scope="module")
def admitted(guarded: Guarded, checker: Checker) -> Iterator[Checker]:
    """The checker, whose key the guarded server's settings list."""
    deploy = {"host": {"deploy": [checker.shell(f"cat {KEY}.pub")]}}
    try:
        with guarded.project.edited("all", {"servers": {guarded.server.name: deploy}}):
            guarded.project.apply("production")
            yield checker
    finally:
        guarded.project.apply("production")


def test_a_second_run_changes_nothing(checker: Checker) -> None:
    plan = checker.nightly("--dry")["plan"]
    assert plan
    assert [o["name"] for o in plan if o["hosts_with_change"]] == []
    results = checker.nightly("-y")["results"]["operations"]
    assert [o["name"] for o in results if o["success"]] == []


def test_a_checkout_that_others_can_change_is_refused(checker: Checker) -> None:
    checker.shell(f"chmod g+w {CHECKOUT}/tasks && chown nobody {CHECKOUT}/config.py")
    command = ".venv/bin/pyinfra -y @local nightly.py 2>&1 || true"
    said = checker.shell(f"cd {CHECKOUT} && PYINFRA_PROGRESS=off {command}")
    assert f"{CHECKOUT}/" in said
    assert "(and 1 more): whoever can write there decides what the check runs" in said
    assert "Starting operation" not in said
    checker.shell(said.partition("As root: ")[2].splitlines()[0])
    assert [o["name"] for o in checker.nightly("--dry")["plan"] if o["hosts_with_change"]] == []


def test_the_timer_waits_for_the_night(checker: Checker) -> None:
    timers = checker.shell("systemctl list-timers --all --no-pager")
    assert f"{ACCOUNT}.timer" in timers
    assert checker.shell(f"systemctl is-enabled {ACCOUNT}.timer") == "enabled"
    unit = checker.shell(f"systemctl show {ACCOUNT}.timer")
    assert "RandomizedDelayUSec=30min" in unit and "Persistent=yes" in unit
    assert " ".join(ENVIRONMENTS) in checker.shell(f"systemctl cat {SERVICE}")


def test_it_has_least_rights(checker: Checker) -> None:
    verdict = checker.shell(f"systemd-analyze security {SERVICE} | tail -n 1")
    assert float(verdict.split(":")[1].split()[0]) <= 2.0, verdict
    assert checker.shell(f"stat -c '%U %a' {HOME} {KEY} {NOTIFY}").splitlines() == [
        f"{ACCOUNT} 700",
        f"{ACCOUNT} 600",
        "root 600",
    ]
    assert checker.shell(f"getent passwd {ACCOUNT}").endswith("/usr/sbin/nologin")


def test_a_night_without_its_key_admitted_is_a_failure(guarded: Guarded, checker: Checker) -> None:
    ended, said = checker.check()
    assert ended == "1 failed"
    assert "the login as deploy was refused" in said


def test_a_clean_night(admitted: Checker) -> None:
    ended, said = admitted.check()
    assert ended == "0 inactive", said
    assert "guarded: as declared" in said
    nights = admitted.shell(f"cat {HOME}/drift.jsonl").splitlines()
    assert json.loads(nights[-1])["checked"] == [["guarded", "production"], ["guarded", "staging"]]
    assert admitted.shell(f"stat -c '%U %a' {HOME}/drift.jsonl") == f"{ACCOUNT} 600"


def test_a_night_with_drift_is_no_failure_and_is_told(guarded: Guarded, admitted: Checker) -> None:
    admitted.shell("mkdir -p /root/l; cat > /root/l/listen.py <<'END'" + LISTENER + "END")
    admitted.shell("systemd-run --quiet --unit=listener python3 /root/l/listen.py")
    admitted.shell(f"echo json://127.0.0.1:8099/t0ken > {NOTIFY}")
    guarded.shell("mv /etc/sysctl.d/60-stagecraft.conf /root/")
    try:
        ended, said = admitted.check()
    finally:
        guarded.shell("mv /root/60-stagecraft.conf /etc/sysctl.d/")
    assert ended == "2 inactive", said
    assert "60-stagecraft.conf" in said
    heard = [json.loads(line) for line in admitted.shell("cat /root/heard").splitlines()]
    assert heard[-1]["title"].startswith("Drift on guarded: ")
    assert "60-stagecraft.conf" in heard[-1]["message"]
    assert "t0ken" not in said
