"""How the check reads what wears out, and what it makes of it."""

from __future__ import annotations

import base64
import subprocess
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from stagecraft.drift.findings import Severity
from stagecraft.drift.judging import certificates, logs, wearing
from stagecraft.drift.judging.running import units
from stagecraft.drift.judging.wearing import DAY, days, reboot_due, stalled
from stagecraft.drift.looking.server import Declared
from stagecraft.facts.backups import BackupsFact
from stagecraft.facts.certificate_lifetimes import Lifetime, LifetimesFact
from stagecraft.facts.clock import Clock, ClockFact
from stagecraft.facts.disks import Disk, DisksFact
from stagecraft.facts.logs import Journal, Logs, LogsFact
from stagecraft.facts.services import Unit
from stagecraft.facts.units import Failure, Units, UnitsFact
from stagecraft.facts.updates import Updates, UpdatesFact
from stagecraft.run import Run
from stagecraft.seen import Service
from stagecraft.settings import Host, Site
from stagecraft.settings.host import Upgrades

NOW = 1_800_000_000.0


@pytest.fixture
def declared(
    monkeypatch: pytest.MonkeyPatch, site: Site, make_environment: Any, make_machine: Any
) -> Declared:
    """Looked at NOW."""
    monkeypatch.setattr(time, "time", lambda: NOW)
    environment = make_environment(site)
    return Declared(environment, (environment,), {}, make_machine())


def severities(findings: Any) -> list[Severity]:
    return [finding.severity for finding in findings]


# --- Certificates ---


def test_lifetimes_are_read() -> None:
    lines = [
        "askpro.test\tnotBefore\tNov 21 12:00:00 2026 GMT",
        "askpro.test\tnotAfter\tNov  1 12:00:00 2027 GMT",
        "askpro.test\tsha256 Fingerprint\tAA:BB",
        "askpro.test\tserved\tAA:CC",
        "gone.test\tserved\tAA:CC",
    ]
    found = LifetimesFact().process(lines)
    assert found == {"askpro.test": Lifetime(1795262400, 1825070400, "AA:BB", "AA:CC")}
    assert found["askpro.test"].left(1795262400) == 1


@pytest.mark.parametrize(
    ("lasts", "left", "issued", "expected"),
    [
        (90, 31, True, []),
        (90, 28, True, []),  # certbot is at it
        (90, 26, True, [Severity.HIGH]),
        (6, 2, True, []),
        (6, 1.5, True, [Severity.HIGH]),
        (90, -1, True, [Severity.CRITICAL]),
        (365, 31, False, []),
        (365, 29, False, [Severity.LOW]),
        (365, 6, False, [Severity.HIGH]),
        (365, -1, False, [Severity.CRITICAL]),
    ],
)
def test_a_certificate_wears_out_by_its_share_or_its_days(
    answers: Any,
    declared: Declared,
    lasts: float,
    left: float,
    issued: bool,
    expected: list[Severity],
) -> None:
    [site] = declared.sites
    issuer = "letsencrypt" if issued else "selfsigned"
    site = site.model_copy(update={"tls": site.tls.model_copy(update={"issuer": issuer})})
    environment = declared.environment.model_copy(update={"sites": [site]})
    lifetime = Lifetime(NOW + (left - lasts) * DAY, NOW + left * DAY, "AA")
    answers[LifetimesFact] = {site.domain: lifetime}
    found = certificates.certificate_lifetimes(replace(declared, environment=environment))
    assert severities(found) == expected


# --- Units ---


CERTBOT = Failure("certbot.service", "exit-code", NOW, "/usr/lib/systemd/system/certbot.service")


@pytest.mark.parametrize(("step", "found"), [("start", []), ("", ["certbot.service"])])
def test_a_failed_unit_is_told_unless_a_run_starts_it(
    monkeypatch: pytest.MonkeyPatch,
    answers: Any,
    declared: Declared,
    step: str,
    found: list[str],
) -> None:
    run = Run(services=[Service("certbot.service", Unit(), step, follows=False)])
    answers[UnitsFact] = Units(failed=(CERTBOT,))
    monkeypatch.setattr(units, "this_run", lambda: run)
    assert [finding.thing for finding in units.failed_units(declared)] == found


def test_what_it_means_that_a_unit_failed(
    monkeypatch: pytest.MonkeyPatch, answers: Any, declared: Declared
) -> None:
    rotation = replace(CERTBOT, unit="logrotate@shop-staging.service", result="timeout")
    gone = Failure(r"a\x2db.timer", "resources", NOW, "")
    answers[UnitsFact] = Units(failed=(CERTBOT, rotation, gone))
    monkeypatch.setattr(units, "this_run", Run)
    certbot, logrotate, timer = units.failed_units(declared)
    assert certbot.found == "it failed (exit-code): certificates are not renewed"
    assert logrotate.found == "it failed (timeout): logs grow until the disk is full"
    # One that has no file any more is not started again.
    assert timer.remedy == r"systemctl reset-failed 'a\x2db.timer'"


# --- Updates ---


def test_updates_are_read() -> None:
    lines = ["lists\t10", "lists\t12", "fetched\t11.5", "waiting\topenssl", "reboot-for\tlibc6"]
    assert UpdatesFact().process(lines) == Updates(
        waiting=frozenset({"openssl"}),
        lists=12,
        fetched=11.5,
        reboot_for=frozenset({"libc6"}),
    )


FRESH = Updates(lists=NOW - DAY, fetched=NOW - DAY, upgraded=NOW - DAY / 2, declared=NOW - 99 * DAY)


@pytest.mark.parametrize(
    ("updates", "kinds"),
    [
        (FRESH, []),
        (Updates(declared=NOW - DAY), []),  # a new machine
        (Updates(lists=NOW, declared=NOW - 4 * DAY), ["unattended upgrades"]),
        (Updates(lists=NOW - 4 * DAY, upgraded=NOW - DAY), ["apt lists"]),
    ],
)
def test_what_should_come_every_day_is_missed(updates: Updates, kinds: list[str]) -> None:
    assert [finding.kind for finding in stalled(updates, NOW)] == kinds


@pytest.mark.parametrize(
    ("waiting", "passed_by", "host", "expected"),
    [
        ("abcdefg", True, True, [Severity.HIGH]),
        ("abcdefg", False, True, []),
        ("", True, True, []),
        ("abcdefg", False, False, [Severity.LOW]),  # nobody declared that they are installed
    ],
)
def test_an_update_waits_when_unattended_upgrades_has_passed_it_by(
    answers: Any,
    declared: Declared,
    waiting: str,
    passed_by: bool,
    host: bool,
    expected: list[Severity],
) -> None:
    upgraded = NOW if passed_by else NOW - 2
    answers[UpdatesFact] = Updates(
        waiting=frozenset(waiting), lists=NOW, fetched=NOW - 1, upgraded=upgraded
    )
    server = declared.settings.model_copy(update={"host": Host.model_construct() if host else None})
    environment = declared.environment.model_copy(update={"server": server})
    found = list(wearing.updates(replace(declared, environment=environment)))
    assert severities(found) == expected
    assert {finding.found for finding in found} <= {"a, b, c, d, e and 2 more"}


@pytest.mark.parametrize(
    ("policy", "age", "packages", "expected"),
    [
        ("never", 60, {"libc6"}, [Severity.LOW]),
        ("never", 60, set(), [Severity.LOW]),
        ("never", 60, {"linux-image-amd64"}, []),  # told by the kernel that runs
        ("04:00", 60, {"libc6"}, []),
        ("04:00", 2 * DAY, {"libc6"}, [Severity.HIGH]),
    ],
)
def test_a_reboot_is_due_by_the_declared_policy(
    policy: str, age: float, packages: set[str], expected: list[Severity]
) -> None:
    host = Host.model_construct(upgrades=Upgrades(reboot=policy))
    updates = Updates(reboot=NOW - age, reboot_for=frozenset(packages))
    assert severities(reboot_due(updates, host, NOW)) == expected
    assert list(reboot_due(Updates(), host, NOW)) == []


# --- Disks ---


def test_disks_are_read_as_df_prints_them() -> None:
    lines = ["Use% IUse% Mounted on", " 30%    4% /", "  5%     - /boot/efi", "  1%  1% /mnt/a b"]
    assert DisksFact().process(lines) == [
        Disk("/", 30, 4),
        Disk("/boot/efi", 5, 0),
        Disk("/mnt/a b", 1, 1),
    ]


@pytest.mark.parametrize(
    ("used", "expected"),
    [
        (79, []),
        (80, [Severity.LOW]),
        (89, [Severity.LOW]),
        (90, [Severity.HIGH]),
        (97, [Severity.CRITICAL]),
        (100, [Severity.CRITICAL]),
    ],
)
def test_a_full_disk_is_worse_the_fuller_it_is(
    answers: Any, declared: Declared, used: int, expected: list[Severity]
) -> None:
    for disk in (Disk("/", used, 0), Disk("/", 0, used)):
        answers[DisksFact] = [disk]
        assert severities(wearing.disks(declared)) == expected


# --- Backups ---


@pytest.mark.parametrize(
    ("age", "found"),
    [(None, "there is none"), (29, None), (31, "the newest is 1 day old")],
)
def test_a_backup_is_late_after_a_quarter_more_than_promised(
    answers: Any, declared: Declared, age: float | None, found: str | None
) -> None:
    answers[BackupsFact] = {} if age is None else {"/b": NOW - age * 3600}
    server = declared.settings.model_copy(update={"backups": {"/b": "1d"}})
    environment = declared.environment.model_copy(update={"server": server})
    findings = list(wearing.backups(replace(declared, environment=environment)))
    assert [finding.found for finding in findings] == ([found] if found else [])


def test_without_promised_backups_nobody_asks(answers: Any, declared: Declared) -> None:
    assert list(wearing.backups(declared)) == []


def test_the_newest_backup_is_found(tmp_path: Path) -> None:
    fresh, old, bare = (tmp_path / name for name in ("fresh", "o l d", "bare"))
    for directory in (fresh, old, bare):
        directory.mkdir()
    (fresh / "now").write_text("x")
    (old / "empty").write_text("")
    (old / "older").write_text("x")
    subprocess.run(["touch", "-d", "@1000", str(old / "older")], check=True)
    fact = BackupsFact()
    command = fact.command({str(path): 60 for path in (fresh, old, bare, tmp_path / "gone")})
    output = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True)
    found = fact.process(output.stdout.splitlines())
    assert found.keys() == {str(fresh), str(old)}
    assert found[str(old)] == 1000


def test_a_backup_is_of_no_day_to_come(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("x")
    subprocess.run(["touch", "-d", "2099-01-01", str(tmp_path / "a")], check=True)
    fact = BackupsFact()
    command = fact.command({str(tmp_path): 60})
    output = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True)
    [written] = fact.process(output.stdout.splitlines()).values()
    assert written < time.time() + 1


# --- The clock ---


def test_the_clock_is_read() -> None:
    lines = ["ActiveState=active", "ActiveEnterTimestamp=Sat 2026-11-21 12:00:00.000000 UTC"]
    assert ClockFact().process([*lines, "synchronized"]) == Clock(True, 1795262400, True)
    assert ClockFact().process(["ActiveState=inactive"]) == Clock()
    assert 7000 < ClockFact().process([f"now={time.time() + 7200:.0f}"]).ahead < 7400


@pytest.mark.parametrize(
    ("clock", "found"),
    [
        (Clock(kept=True, since=NOW - 7200), 1),
        (Clock(kept=True, since=NOW - 60), 0),
        (Clock(kept=True, since=NOW - 7200, synchronized=True), 0),
        (Clock(), 0),
        (Clock(ahead=-7200), 1),
        (Clock(ahead=60), 0),
    ],
)
def test_the_clock_drifts_when_no_time_server_answers(
    answers: Any, declared: Declared, clock: Clock, found: int
) -> None:
    answers[ClockFact] = clock
    assert len(list(wearing.clock(declared))) == found


@pytest.mark.parametrize(
    ("seconds", "words"), [(3600, "1 hour"), (DAY, "1 day"), (5.9 * DAY, "5 days"), (60, "0 hours")]
)
def test_ages_are_said_in_words(seconds: float, words: str) -> None:
    assert days(seconds) == words


# --- Logs ---


def row(*values: object) -> str:
    return "".join(f"{value}\0" for value in (*values, "", "", "")[:5])


def logs_of(*rows: str) -> Logs:
    return LogsFact().process([base64.b64encode("".join(rows).encode()).decode()])


def test_only_a_file_that_was_written_to_was_emptied() -> None:
    found = logs_of(
        row("empty", "/var/log/made.log", 1000, 1001),
        row("empty", "/var/log/by_an_image.log", 1000, 2000),
        row("empty", "/var/log/cut.log", 1000, 4000),
        row("empty", "/var/log/copied.log", 1000, 4000),
        row("empty", "/var/log/of_a_file_system_without_births.log", 0, 4000),
        row("copied", "/var/log/cop*.log"),
        row("since", 3000),
    )
    assert found.emptied == {"/var/log/cut.log": 4000}


def test_a_service_that_its_conditions_keep_from_running_was_not_stopped() -> None:
    found = logs_of(
        row("service", "rsyslog.service", "loaded", "inactive", 0),
        row("service", "auditd.service", "loaded", "inactive", 1),
        row("service", "syslog-ng.service", "not-found", "inactive", 0),
    )
    assert found.stopped == ["rsyslog.service"]


@pytest.mark.parametrize(
    ("journal", "found"),
    [
        (Journal(first=NOW - DAY, made=NOW - 9 * DAY, size=20, full=30), 1),
        (Journal(first=NOW - DAY, made=NOW - 9 * DAY, size=450, full=30), 0),
        (Journal(first=NOW - DAY, made=NOW - 9 * DAY, size=20, full=84), 0),
        (Journal(first=NOW - 70 * DAY, made=NOW - 400 * DAY, size=20, full=30), 0),
        (Journal(first=NOW - 9 * DAY, made=NOW - 9 * DAY + 3, size=20, full=30), 0),
        (Journal(), 0),
    ],
)
def test_a_journal_is_shorter_than_its_limits_explain(
    monkeypatch: pytest.MonkeyPatch, journal: Journal, found: int
) -> None:
    monkeypatch.setattr(time, "time", lambda: NOW)
    assert len(list(logs.journal(journal))) == found
