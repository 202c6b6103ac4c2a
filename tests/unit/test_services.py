"""A unit runs, starts at boot, and has read what its files say now."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from time import sleep
from types import SimpleNamespace
from typing import Any

import pytest

from stagecraft.facts.services import Unit, UnitFact, parse_timestamp, parse_unit
from stagecraft.manifest import Manifest, Records
from stagecraft.operations import services
from stagecraft.operations.files import Written
from stagecraft.operations.nodes import File
from stagecraft.run import Run
from stagecraft.seen import Place

SHOWN = """\
UnitsLoadTimestamp=Sat 2026-11-21 02:57:00.000000 UTC
LoadState=loaded
ActiveState=active
UnitFileState=enabled
ActiveEnterTimestamp=Sat 2026-11-21 02:58:00.000000 UTC
StateChangeTimestamp=Sat 2026-11-21 02:59:00.123456 UTC
""".splitlines()
LOADED, STARTED, RELOADED = 1795229820, 1795229880, 1795229940
"""Those three moments, in seconds since the epoch."""


# --- What systemd says ---


def test_a_running_unit_is_read() -> None:
    unit = parse_unit(SHOWN)
    assert unit == Unit("loaded", "active", "enabled", refreshed=RELOADED + 0.123456)
    assert unit.running
    assert unit.starts_at_boot


def test_a_timestamp_is_utc_to_the_microsecond() -> None:
    assert parse_timestamp("Thu 1970-01-01 00:01:00.250000 UTC") == 60.25


@pytest.mark.parametrize("never", ["", "n/a"])
def test_a_unit_that_never_ran_has_no_timestamp(never: str) -> None:
    assert parse_timestamp(never) == 0.0


@pytest.mark.parametrize(
    ("changed", "newer"),
    [(f"{RELOADED}.1234560000", ""), (f"{RELOADED}.1234570000", "/etc/nginx/a file")],
)
def test_a_file_changed_after_the_unit_s_last_change_is_newer(changed: str, newer: str) -> None:
    assert parse_unit([*SHOWN, f"watched {changed} /etc/nginx/a file"]).newer == newer


def test_no_systemd_at_all_is_a_unit_that_is_not_there() -> None:
    assert parse_unit([]) == Unit()
    assert not Unit().running
    assert not Unit().starts_at_boot


@pytest.mark.parametrize(
    ("state", "running"),
    [("active", True), ("reloading", True), ("failed", False), ("activating", False)],
)
def test_only_an_active_unit_runs(state: str, running: bool) -> None:
    assert Unit(active=state).running is running


@pytest.mark.parametrize(
    ("state", "starts"),
    [("enabled", True), ("static", True), ("disabled", False), ("enabled-runtime", False)],
)
def test_what_systemd_enables_for_good_starts_at_boot(state: str, starts: bool) -> None:
    assert Unit(enabled=state).starts_at_boot is starts


@pytest.mark.parametrize(
    ("changed", "outdated", "restart_due"),
    [(LOADED - 1, False, False), (LOADED + 1, True, False), (STARTED + 1, True, True)],
)
def test_a_changed_unit_file_must_be_read_and_started_from(
    changed: int, outdated: bool, restart_due: bool
) -> None:
    unit = parse_unit([*SHOWN, f"unit-file {changed}.0 /etc/systemd/system/x.service"])
    assert (unit.outdated, unit.restart_due) == (outdated, restart_due)


def test_a_unit_file_that_is_read_but_not_started_from_is_remembered() -> None:
    """Else a run that is interrupted between the two would never be healed."""
    shown = [line.replace("02:57:00", "02:59:00") for line in SHOWN]
    unit = parse_unit([*shown, f"unit-file {STARTED + 1}.0 /etc/systemd/system/x.service"])
    assert (unit.outdated, unit.restart_due) == (False, True)


# --- The files it watches, found for real ---


@pytest.fixture
def newest(read_here: Any, stand_in: Any) -> Callable[..., str]:
    """The path that the fact finds newer than a unit that never ran."""
    stand_in("systemctl", "exit 1")

    def read(*watched: object) -> str:
        paths = list(map(str, watched))
        unit: Unit = read_here(UnitFact, unit="x.service", unit_files=[], watched=paths)
        return unit.newer

    return read


def write_in_order(directory: Path, *names: str) -> None:
    """The kernel's clock for ctime ticks every 4 to 10 ms."""
    for name in names:
        sleep(0.02)
        (directory / name).write_text("x")


def test_the_newest_of_several_files_is_found(tmp_path: Path, newest: Any) -> None:
    write_in_order(tmp_path, "b", "c", "a")
    assert newest(tmp_path / "a", tmp_path / "b", tmp_path / "c") == f"{tmp_path}/a"


def test_a_change_deep_in_a_watched_directory_is_found(tmp_path: Path, newest: Any) -> None:
    (tmp_path / "conf/deep").mkdir(parents=True)
    write_in_order(tmp_path / "conf/deep", "b", "a")
    sleep(0.02)
    (tmp_path / "conf/deep/b").chmod(0o600)
    assert newest(tmp_path / "conf") == f"{tmp_path}/conf/deep/b"


def test_a_file_moved_in_place_is_a_change_although_it_is_old(tmp_path: Path, newest: Any) -> None:
    write_in_order(tmp_path, "new", "other")
    os.utime(tmp_path / "new", (0, 0))
    sleep(0.02)
    (tmp_path / "new").rename(tmp_path / "conf")
    assert newest(tmp_path / "conf", tmp_path / "other") == f"{tmp_path}/conf"


def test_a_removed_file_is_a_change_of_its_directory(tmp_path: Path, newest: Any) -> None:
    (tmp_path / "conf").mkdir()
    write_in_order(tmp_path / "conf", "a", "b")
    sleep(0.02)
    (tmp_path / "conf/a").unlink()
    assert newest(tmp_path / "conf") == f"{tmp_path}/conf"


@pytest.mark.parametrize("slash", ["", "/"])
def test_of_a_link_the_target_is_watched(tmp_path: Path, newest: Any, slash: str) -> None:
    (tmp_path / "live").mkdir()
    (tmp_path / "link").symlink_to("live")
    write_in_order(tmp_path / "live", "fullchain.pem")
    sleep(0.02)
    (tmp_path / "live/fullchain.pem").write_text("renewed")
    assert newest(f"{tmp_path}/link{slash}") == f"{tmp_path}/link/fullchain.pem"


def test_a_path_that_is_not_there_changes_nothing(tmp_path: Path, newest: Any) -> None:
    write_in_order(tmp_path, "a")
    assert newest(tmp_path / "missing", tmp_path / "a") == f"{tmp_path}/a"
    assert newest(tmp_path / "missing") == ""


def test_a_watched_path_reaches_no_shell(tmp_path: Path, newest: Any) -> None:
    name = "it's $(echo pwned)"
    write_in_order(tmp_path, name)
    assert newest(tmp_path / name) == f"{tmp_path}/{name}"


@pytest.mark.parametrize(("year", "is_newer"), [("1999", True), ("2199", False)])
def test_the_files_are_compared_with_what_systemd_says(
    tmp_path: Path, read_here: Any, stand_in: Any, year: str, is_newer: bool
) -> None:
    stand_in("systemctl", f"echo 'StateChangeTimestamp=Fri {year}-01-01 00:00:00.000000 UTC'")
    write_in_order(tmp_path, "a")
    path = [f"{tmp_path}/a"]
    watching = read_here(UnitFact, unit="x.service", unit_files=[], watched=path)
    assert bool(watching.newer) is is_newer
    own = read_here(UnitFact, unit="x.service", unit_files=path, watched=[])
    assert (own.outdated, own.restart_due, own.newer) == (True, True, "")


def test_nothing_watched_is_nothing_newer(newest: Any) -> None:
    assert newest() == ""


# --- What is done about it ---


GOOD = Unit("loaded", "active", "enabled")


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    def run(unit: Unit, executing: bool = False, **arguments: Any) -> list[str]:
        host = SimpleNamespace(get_fact=lambda *_, **__: unit)
        monkeypatch.setattr(services, "host", host)
        monkeypatch.setattr(services, "state", SimpleNamespace(is_executing=executing))
        settings = {"after": [], "trees": [], "refresh": "systemctl reload"} | arguments
        yielded = services.run._inner(unit="nginx.service", files={}, **settings)
        return [
            command if isinstance(command, str) else shlex.split(command.get_raw_value())[5]
            for command in yielded
        ]

    return run


def test_a_unit_that_runs_what_its_files_say_is_left_alone(commands: Any) -> None:
    assert commands(GOOD) == []


def test_a_bare_server_gets_it_enabled_and_started(commands: Any) -> None:
    assert commands(Unit()) == [
        "systemctl enable --quiet nginx.service",
        "systemctl start nginx.service",
    ]


def test_a_changed_file_makes_it_reload(commands: Any) -> None:
    changed = Unit("loaded", "active", "enabled", newer="/etc/nginx/nginx.conf")
    assert commands(changed) == ["systemctl reload nginx.service"]
    assert commands(changed, refresh="systemctl restart") == ["systemctl restart nginx.service"]


def test_a_changed_unit_file_is_read_anew_first(commands: Any) -> None:
    outdated = Unit("loaded", "active", "enabled", outdated=True)
    assert commands(outdated) == ["systemctl daemon-reload"]


def test_systemd_reads_a_new_unit_s_file_once(commands: Any) -> None:
    """Enabling a unit makes systemd read all units anew, which costs it more than starting one."""
    new = Unit("not-found", outdated=True)
    assert commands(new) == [
        "systemctl enable --quiet nginx.service",
        "systemctl start nginx.service",
    ]


def test_a_changed_unit_file_restarts_the_unit(commands: Any) -> None:
    """A reload takes up no new ExecStart (another PHP), no sandbox and no MemoryMax."""
    outdated = Unit("loaded", "active", "enabled", outdated=True, restart_due=True)
    assert commands(outdated) == ["systemctl daemon-reload", "systemctl restart nginx.service"]


def test_a_stopped_unit_is_started_not_reloaded(commands: Any) -> None:
    stopped = Unit("loaded", "failed", "enabled", newer="/etc/nginx/nginx.conf")
    assert commands(stopped) == ["systemctl start nginx.service"]


def test_the_plan_shows_the_reload_that_a_planned_change_brings(commands: Any) -> None:
    changes, stays = (
        Written("a", SimpleNamespace(will_change=True)),
        SimpleNamespace(will_change=False),
    )
    assert commands(GOOD, after=[stays, changes]) == ["systemctl reload nginx.service"]
    assert commands(GOOD, after=[stays]) == []


def test_while_the_run_executes_the_server_s_state_alone_decides(commands: Any) -> None:
    changes = SimpleNamespace(will_change=True)
    assert commands(GOOD, executing=True, after=[changes]) == []


# --- How it takes up its files: take_up.sh ---


@pytest.fixture
def take_up(shell: Any, stand_in: Any, tmp_path: Path) -> Callable[..., Any]:
    """Runs it for a unit in this state, with a command that fails or that it does not survive."""
    log = tmp_path / "log"

    def run(state: str, *trees: str, fails: bool, survives: bool = True) -> Any:
        stand_in("journalctl", "echo the log of the unit")
        stand_in("sleep", "true")
        stand_in(
            "systemctl",
            f'echo "systemctl $*" >>{log}; case "$*" in'
            f' "is-active --quiet"*) [ {survives} = True ] ;; is-active*) echo {state} ;; esac',
        )
        stand_in("reload", f"echo reload >>{log}; [ {fails} = False ]")
        result = shell(services.TAKE_UP, "take-up", "x.service", "reload x.service", *trees)
        return SimpleNamespace(result=result, called=log.read_text().splitlines())

    return run


def test_what_is_taken_up_is_said_nothing_of(take_up: Any) -> None:
    result = take_up("active", fails=False).result
    assert (result.returncode, result.stdout + result.stderr) == (0, "")


def test_a_start_that_fails_shows_the_unit_s_log(take_up: Any) -> None:
    run = take_up("inactive", fails=True)
    assert run.result.returncode == 1
    assert run.result.stderr == "the log of the unit\n"
    assert "systemctl start x.service" not in run.called


@pytest.mark.parametrize("survives", [True, False])
def test_what_a_running_unit_does_not_take_up_is_put_back(
    take_up: Any, tmp_path: Path, survives: bool
) -> None:
    kept = Path(f"/run/stagecraft/previous/unit-{os.getpid()}-{tmp_path.name}")
    changed, new = tmp_path / "changed", tmp_path / "new"
    changed.write_text("new\n")
    new.write_text("new\n")
    old = Path(f"{kept}/files{changed}")
    old.parent.mkdir(parents=True)
    old.write_text("old\n")
    (kept / "index").write_text(f"{changed}\n{new}\n")
    run = take_up("active", kept.name, fails=survives, survives=survives)
    assert run.result.returncode == 1
    assert "the old ones are restored, and it runs with them" in run.result.stderr
    assert ("systemctl start x.service" in run.called) is not survives
    assert changed.read_text() == "old\n"
    assert not new.exists()
    assert not kept.exists()


# --- The plan's words ---


@pytest.mark.parametrize(
    ("unit", "words"),
    [
        (Unit(), ": start"),
        (Unit("loaded", "failed", "enabled"), ": start, it is failed"),
        (GOOD, ""),
        (replace(GOOD, newer="/etc/my.cnf"), ": reload, /etc/my.cnf changed"),
        (replace(GOOD, restart_due=True), ": restart, which interrupts production and staging"),
    ],
)
def test_the_plan_says_what_becomes_of_the_unit(
    monkeypatch: pytest.MonkeyPatch, this_run: Run, unit: Unit, words: str
) -> None:
    this_run.manifest = Manifest("staging", {"production": Records()})
    named: list[str] = []
    host = SimpleNamespace(get_fact=lambda *_, **__: unit, name=words)
    monkeypatch.setattr(services, "host", host)
    monkeypatch.setattr(services, "state", SimpleNamespace(is_executing=False))
    monkeypatch.setattr(services, "run", lambda *, name, **_: named.append(name))
    services.running(name="Run x", unit="x.service", shared=True)
    assert named == [f"Run x{words}"]
    [service] = this_run.services
    assert (service.unit, service.present, service.follows) == ("x.service", unit, False)
    assert words.removeprefix(": ").startswith(service.step)


@pytest.mark.parametrize(
    ("changed", "step"),
    [
        ("/units/x.service", "restart"),
        ("/units/x.service.d/a.conf", "restart"),
        ("/units/x.service.d-not", "reload"),
        ("/etc/x.conf", "reload"),
    ],
)
def test_the_plan_says_restart_where_it_changes_the_unit_s_own_files(
    monkeypatch: pytest.MonkeyPatch, this_run: Run, changed: str, step: str
) -> None:
    named: list[str] = []

    class Asked:
        """With -y, an operation looks at the server only when it is asked whether it changes it."""

        @property
        def will_change(self) -> bool:
            this_run.seen["x"] = [Place("x", File(changed, ""), None, "root")]
            return True

    host = SimpleNamespace(get_fact=lambda *_, **__: GOOD, name=changed)
    monkeypatch.setattr(services, "host", host)
    monkeypatch.setattr(services, "state", SimpleNamespace(is_executing=False))
    monkeypatch.setattr(services, "run", lambda *, name, **_: named.append(name))
    written: Any = Written("x", Asked())  # type: ignore[arg-type]
    own = ["/units/x.service", "/units/x.service.d"]
    services.running(name="Run x", unit="x.service", unit_files=own, after=[written])
    assert named == [f"Run x: {step}"]


def test_a_reload_that_failed_is_tried_again(commands: Any) -> None:
    """The old configuration runs on, and StateChangeTimestamp has moved all the same (252)."""
    failed = parse_unit([*SHOWN, "ReloadResult=exit-code", f"watched {STARTED}.0 /etc/x"])
    assert commands(failed) == ["systemctl reload nginx.service"]


# --- A unit that something else starts ---


@pytest.mark.parametrize(
    ("outdated", "reloads"), [(True, ["systemctl daemon-reload"]), (False, [])]
)
def test_systemd_reads_a_changed_drop_in_of_a_unit_it_does_not_start(
    monkeypatch: pytest.MonkeyPatch, outdated: bool, reloads: list[str]
) -> None:
    unit = Unit(outdated=outdated)
    monkeypatch.setattr(services, "host", SimpleNamespace(get_fact=lambda *_, **__: unit))
    yielded = services.known._inner(unit="certbot.service", unit_files=["/x.d"])
    assert list(yielded) == reloads
