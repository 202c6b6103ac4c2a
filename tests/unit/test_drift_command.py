"""`stagecraft drift` as a program, on environments that need no server."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from stagecraft.drift.findings import Class, Coverage, Kind
from stagecraft.drift.looking.areas import look, placed
from stagecraft.drift.looking.checks import checks
from stagecraft.drift.looking.server import Declared
from stagecraft.facts.machine import Machine
from stagecraft.settings import REPOSITORY, Environment, Site

HANGS = "import os, time\nopen('pid', 'w').write(str(os.getpid()))\ntime.sleep(60)\n"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A checkout whose staging is wrong, and whose production hangs before it connects."""
    for name in ("config.py", "tasks", "templates", "deploy.py"):
        (tmp_path / name).symlink_to(REPOSITORY / name)
    for directory in ("inventories", "group_data"):
        (tmp_path / directory).mkdir()
    (tmp_path / "inventories/production.py").write_text(HANGS)
    (tmp_path / "inventories/staging.py").write_text(
        "from pathlib import Path\nfrom stagecraft.inventory import load\n"
        "staging = load('staging', Path.cwd())\n"
    )
    (tmp_path / "group_data/all.yml").write_text("servers: {askpro-1: {address: 192.0.2.1}}\n")
    (tmp_path / "group_data/production.yml").write_text("server: askpro-1\n")
    (tmp_path / "group_data/staging.yml").write_text("server: askpro-1\nsitse: {}\n")
    return tmp_path


def begin(project: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "stagecraft", "drift", *arguments],
        cwd=project,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def drift(project: Path, *arguments: str) -> tuple[int, str, str]:
    process = begin(project, *arguments)
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--jsn", "staging"), "Did you mean '--json'?"),
        (("stagign",), "there is no group_data/stagign.yml; did you mean 'staging'?"),
        (("inventories/staging.py",), "use the environment's name: staging"),
    ],
)
def test_a_wrong_command_line_is_no_drift(
    project: Path, arguments: tuple[str, ...], words: str
) -> None:
    code, out, err = drift(project, *arguments)
    assert (code, out) == (1, "")
    assert words in err


def test_wrong_settings_are_named_and_make_it_unknown(project: Path) -> None:
    code, out, _ = drift(project, "--json", "staging")
    verdict = json.loads(out)
    assert (code, verdict["exit_code"]) == (1, 1)
    [gap] = verdict["unknown"]
    assert (gap["server"], gap["environment"], gap["area"]) == ("askpro-1", "staging", "everything")
    assert "group_data/staging.yml:2: sitse: unknown key; did you mean 'sites'?" in gap["reason"]


def test_wrong_waivers_are_named(project: Path) -> None:
    (project / "waivers.yml").write_text("askpro-1 unmanaged package htop: {owner: anna}\n")
    code, out, err = drift(project, "staging")
    assert (code, out) == (1, "")
    assert "waivers.yml:1: askpro-1 unmanaged package htop.until: is missing" in err
    assert "Traceback" not in err


@pytest.fixture
def hanging(project: Path) -> Iterator[subprocess.Popen[str]]:
    """A check of production that is under way."""
    process = begin(project, "production")
    pid = project / "pid"
    try:
        until = time.monotonic() + 30
        while not (pid.exists() and pid.read_text()) and time.monotonic() < until:
            time.sleep(0.05)
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_check_leaves_nothing_behind(
    project: Path, hanging: subprocess.Popen[str], by: signal.Signals
) -> None:
    child = int((project / "pid").read_text())
    os.kill(hanging.pid, by)
    _, err = hanging.communicate(timeout=10)
    assert (hanging.returncode, err) == (128 + by, "\nInterrupted\n")
    with pytest.raises(ProcessLookupError):
        os.kill(child, 0)
    assert not (project / ".stagecraft/drift.jsonl").exists()


@pytest.mark.parametrize("seconds", [0.1, 0.3, 0.5, 0.8])
def test_a_check_may_be_interrupted_while_it_begins(project: Path, seconds: float) -> None:
    """Its modules load, its children start: none of it makes another error of the interrupt."""
    process = begin(project, "production")
    until_it_is_ours(process)
    time.sleep(seconds)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=20)
    assert (process.returncode, out, err) in [
        (-signal.SIGINT, "", ""),
        (128 + signal.SIGINT, "", "\nInterrupted\n"),
    ]


def until_it_is_ours(process: subprocess.Popen[str]) -> None:
    """Python itself shows a traceback of an interrupt in its first hundredths of a second: it has a
    handler then, which our program takes away."""
    bit, python_s = 1 << signal.SIGINT - 1, False
    for _ in range(10_000):
        status = Path(f"/proc/{process.pid}/status").read_text()
        [caught] = re.findall(r"^SigCgt:\s+(\w+)", status, re.MULTILINE)
        if int(caught, 16) & bit:
            python_s = True
        elif python_s:
            return
        time.sleep(0.001)
    raise AssertionError("it never began")


def test_one_that_hangs_is_ended_and_unknown(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project)
    with checks([Path("inventories/production.py")], patience=10) as wait:
        [report] = wait()
    [gap] = report.unchecked
    assert gap.reason == "no answer within 10 seconds"
    with pytest.raises(ProcessLookupError):
        os.kill(int((project / "pid").read_text()), 0)


def test_a_notifier_s_url_is_for_nobody_else(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = "import os, sys\nopen('seen', 'w').write(str(dict(os.environ)))\nsys.exit(1)\n"
    (project / "inventories/production.py").write_text(seen)
    monkeypatch.setenv("STAGECRAFT_NOTIFY", "json://t0ken")
    drift(project, "production")
    text = (project / "seen").read_text()
    assert "PATH" in text and "t0ken" not in text


# --- One area after the other ---


@pytest.mark.parametrize(
    ("class_", "thing", "environment"),
    [
        (Class.RUNNING, "php-fpm@askpro-staging.service", "staging"),
        (Class.WEARING, "logrotate@askpro-staging.service", "staging"),
        (Class.RUNNING, "php-fpm@askpro.service", ""),
        (Class.RUNNING, "nginx.service", ""),
        (Class.RUNNING, "/etc/systemd/system/php-fpm@askpro-staging.service", ""),
        # Nobody's environment is to be trusted with what nobody declared.
        (Class.UNMANAGED, "php-fpm@askpro-staging.service", ""),
    ],
)
def test_what_a_site_s_unit_runs_is_told_as_that_site_s(
    site: Site,
    make_environment: Callable[..., Environment],
    make_machine: Callable[..., Machine],
    class_: Class,
    thing: str,
    environment: str,
) -> None:
    declared = Declared(here := make_environment(site), (here,), {}, make_machine())
    found = placed(Kind(class_, "service").finding(thing, found="", remedy=""), declared)
    assert (found.server, found.environment) == ("askpro-1", environment)


def test_an_area_with_a_defect_spoils_itself_alone(
    site: Site,
    make_environment: Callable[..., Environment],
    make_machine: Callable[..., Machine],
) -> None:
    environment = make_environment(site)
    declared = Declared(environment, (environment,), {}, make_machine())

    def broken(declared: Declared) -> Iterator[Coverage]:
        yield Coverage(declared=1, total=1)
        raise KeyError("Uid")

    def sound(declared: Declared) -> Iterator[Coverage]:
        yield Coverage(declared=3, total=4)

    report = look({"broken": broken, "sound area": sound}, declared)
    [gap] = report.unchecked
    assert (gap.server, gap.area) == ("askpro-1", "broken")
    assert gap.reason.startswith("a defect in the check (test_drift_command.py:")
    assert "KeyError: 'Uid'" in gap.reason
    [coverage] = report.coverage
    assert (coverage.kind, coverage.declared, coverage.total) == ("sound area", 3, 4)
