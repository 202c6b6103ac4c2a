"""What the server's program decides: which migrations contract, which release is returned to."""

from __future__ import annotations

import argparse
import errno
import json
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from io import BytesIO, TextIOWrapper
from pathlib import Path
from typing import Any

import pytest

from stagecraft.facts.cached_configuration import CachedConfigurationFact
from stagecraft.on_server import (
    actions,
    build,
    configuration,
    health,
    journal,
    sandbox,
    site,
    unit,
    workers,
)
from stagecraft.on_server.actions import Action, Request, all_asked, archive_of, ask, perform
from stagecraft.on_server.build import Build
from stagecraft.on_server.command import after_the_last, main, parser, recover_sites, release
from stagecraft.on_server.configuration import ordinary, rebuild
from stagecraft.on_server.health import ASK, answered
from stagecraft.on_server.lock import busy, lock
from stagecraft.on_server.log import Log
from stagecraft.on_server.maintenance import CLOSED
from stagecraft.on_server.migrations import contracting, login
from stagecraft.on_server.releases import BAD, GOOD, UNFINISHED, WITHDRAWN, Release, Releases
from stagecraft.on_server.site import LOGS, SITES, STATE, Failed, Site
from stagecraft.on_server.storage import TAKE, Storage
from stagecraft.services import MAINTENANCE, Program


def released(shop: Site, id: str, state: str = GOOD, *, contracts: bool = False) -> Release:
    """A release that is there, and was current last if it is good."""
    release = Release(id, id * 40, "main", "anna", "2026-11-30T12:00:00Z", state, contracts)
    releases = Releases(shop)
    releases.record(release)
    releases.path(id).mkdir()
    if state == GOOD:
        releases.switch(id)
    return release


# --- Which release is returned to ---


def test_a_rollback_goes_to_the_good_release_before_the_current_one(shop: Site) -> None:
    released(shop, "1")
    released(shop, "2")
    released(shop, "3", BAD)
    released(shop, "4")
    assert Releases(shop).previous().id == "2"
    Releases(shop).switch("2")
    assert Releases(shop).previous().id == "1"


def test_what_a_rollback_left_is_returned_to_by_name_alone(shop: Site) -> None:
    released(shop, "1")
    released(shop, "2")
    Releases(shop).mark("2", WITHDRAWN)
    released(shop, "3")
    assert Releases(shop).previous().id == "1"
    assert Releases(shop).named("2").id == "2"


def test_there_is_nothing_to_return_to_before_the_first_good_release(shop: Site) -> None:
    released(shop, "1", BAD)
    released(shop, "2")
    with pytest.raises(Failed, match="no earlier good release than 2"):
        Releases(shop).previous()


def test_a_bad_release_is_not_returned_to_by_name(shop: Site) -> None:
    released(shop, "1", BAD)
    released(shop, "2")
    with pytest.raises(Failed, match="1 is bad"):
        Releases(shop).named("1")


def test_a_release_goes_by_the_beginning_of_its_commit_too(shop: Site) -> None:
    released(shop, "1")
    released(shop, "2")
    assert Releases(shop).named("1111111").id == "1"
    Releases(shop).record(replace(released(shop, "3", BAD), commit="1" * 40))
    assert Releases(shop).named("1111111").id == "1"
    with pytest.raises(Failed, match="runs 2 already"):
        Releases(shop).named("2222222")
    with pytest.raises(Failed, match="no release 3333 any more"):
        Releases(shop).named("3333")


def test_no_rollback_crosses_a_contracting_release_even_a_removed_one(shop: Site) -> None:
    released(shop, "1")
    gone = released(shop, "2", contracts=True)
    released(shop, "3")
    released(shop, "4")
    Releases(shop).path(gone.id).rmdir()
    assert Releases(shop).named("3").id == "3"
    Releases(shop).switch("3")
    with pytest.raises(Failed, match="2 has contracted it"):
        Releases(shop).previous()


def test_what_another_version_wrote_is_not_returned_to(shop: Site) -> None:
    released(shop, "1")
    released(shop, "2")
    (shop.state / "releases/1.json").write_text('{"id": "1", "of": "tomorrow"}')
    (shop.state / "releases/0.json").write_text("")
    with pytest.raises(Failed, match="no earlier good release than 2"):
        Releases(shop).previous()


def test_a_new_release_is_the_last_even_if_the_clock_has_gone_back(shop: Site) -> None:
    last = replace(released(shop, "1"), at="2999-01-01T00:00:00Z")
    Releases(shop).record(last)
    assert after_the_last(Releases(shop)) == datetime(2999, 1, 1, 0, 0, 1, tzinfo=UTC)


def test_current_that_is_no_link_is_named(shop: Site) -> None:
    (shop.home / "current").unlink()
    (shop.home / "current").mkdir()
    with pytest.raises(Failed, match="current is not a link to a release"):
        Releases(shop).current()


def test_what_is_installed_is_what_the_program_looks_for() -> None:
    assert (unit.PROGRAM, str(SITES)) == (Program.path, Program.sites)
    assert (str(STATE), str(LOGS)) == (Program.state, Program.logs)
    assert str(CLOSED) == MAINTENANCE


# --- Which releases stay ---


def test_as_many_good_releases_stay_as_are_to_be_kept(shop: Site) -> None:
    for id in "12345":
        released(shop, id)
    assert Releases(shop).prune() == ["1", "2", "3"]
    assert [release.id for release in Releases(shop).all()] == ["4", "5"]


def test_the_current_release_and_the_one_before_it_stay(shop: Site) -> None:
    for id in "12345":
        released(shop, id)
    Releases(shop).switch("2")
    assert Releases(shop).prune() == ["3"]
    assert Releases(shop).previous().id == "1"


def test_what_a_rollback_returns_to_stays_although_newer_ones_were_left(shop: Site) -> None:
    for id in "12345":
        released(shop, id)
    for id in "234":
        Releases(shop).mark(id, WITHDRAWN)
    assert Releases(shop).prune() == ["2", "3"]
    assert Releases(shop).previous().id == "1"


def test_what_is_not_good_goes_and_what_is_not_ours_stays(shop: Site) -> None:
    (shop.releases / "placeholder").mkdir()
    (shop.releases / "by-hand").mkdir()
    released(shop, "1")
    released(shop, "2", BAD)
    Releases(shop).prune()
    left = {path.name for path in shop.releases.iterdir()}
    assert left == {"1", "by-hand", "placeholder"}


def test_what_an_undoing_returns_to_stays(shop: Site) -> None:
    """The action may still be killed after it has removed the others."""
    for id in "1234":
        released(shop, id)
    for id in "123":
        Releases(shop).mark(id, WITHDRAWN)
    assert Releases(replace(shop, keep=1)).prune("1") == ["2", "3"]


@pytest.mark.parametrize(("occupied", "gone"), [("1", "23"), ("123", "1")])
def test_as_many_as_are_to_be_kept_stay_besides_if_processes_work_in_them(
    shop: Site, monkeypatch: pytest.MonkeyPatch, occupied: str, gone: str
) -> None:
    """A process of the site can sit in each release that ever was."""
    for id in "12345":
        released(shop, id)
    monkeypatch.setattr(Releases, "_worked_in", lambda _: set(occupied))
    assert Releases(shop).prune() == list(gone)


# --- What actions undo ---


def action(shop: Site, verb: str, before: str, target: Release) -> Action:
    return Action(shop, Request("9", verb, "anna", "root", target.at, target, before=before), Log())


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What actions have systemd do."""
    calls: list[str] = []
    for module, name in ((sandbox, "end_step"), (health, "end_own_php_fpm"), (workers, "restart")):
        monkeypatch.setattr(module, name, lambda _, name=name: calls.append(name))
    monkeypatch.setattr(actions, "reload", lambda *_: calls.append("reload"))
    return calls


def test_a_release_is_undone_although_a_process_still_writes_to_it(
    shop: Site, calls: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def occupied(_: Site) -> None:
        raise Failed("rm failed: Directory not empty")

    monkeypatch.setattr(actions, "remove_builds", occupied)
    released(shop, "1")
    new = released(shop, "2", UNFINISHED)
    action(shop, "release", "1", new).end("failed", "build: it ended")
    assert [entry["outcome"] for entry in journal.entries(shop)] == ["failed"]
    assert Releases(shop).records()[-1].state == BAD


def test_an_undoing_that_was_killed_after_its_switch_is_done_again(
    shop: Site, calls: list[str]
) -> None:
    """Workers may run the release that was left."""
    released(shop, "1")
    action(shop, "release", "1", released(shop, "2", UNFINISHED)).end("killed", "")
    assert calls[-2:] == ["reload", "restart"]


def test_an_undoing_leaves_nothing_of_a_build_or_of_its_steps(shop: Site, calls: list[str]) -> None:
    released(shop, "1")
    for name in ("2", "2.copy", "tmp-8k1"):
        (shop.builds / name).mkdir(parents=True)
    action(shop, "release", "1", released(shop, "2", UNFINISHED)).end("killed", "")
    assert list(shop.builds.iterdir()) == []


def test_the_way_back_needs_no_room_on_the_disk(
    shop: Site, calls: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    released(shop, "1")
    new = action(shop, "release", "1", released(shop, "2", UNFINISHED))
    dict(new.steps())["switch"]()
    assert Releases(shop).current() == "2"
    monkeypatch.setattr(Path, "symlink_to", full)
    monkeypatch.setattr("stagecraft.on_server.files.write", full)
    new.end("failed", "health: it answered 503")
    assert Releases(shop).current() == "1"
    assert {path.name for path in shop.home.iterdir()} == {"builds", "current", "releases"}


def test_a_rollback_to_what_the_undoing_of_another_action_returned_to_is_refused(
    shop: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("signal.signal", lambda *_: None)
    target = released(shop, "1")
    request = Request("9", "rollback", "anna", "root", target.at, target)
    ask(shop, request)
    assert not perform(shop, "9")
    assert journal.entries(shop)[0]["outcome"] == "refused"
    assert Releases(shop).recorded().state == GOOD


def test_an_outcome_is_one_line(shop: Site, capsys: pytest.CaptureFixture[str]) -> None:
    """What a health check answers is part of it."""
    new = released(shop, "1", UNFINISHED)
    action(shop, "release", "", new).end("failed", "health: it answered 500: x\nDone. It runs 1")
    assert len(capsys.readouterr().out.splitlines()) == 1


def test_a_stop_is_no_failure_that_is_passed_over(
    shop: Site, calls: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Compiled views that cannot be copied do not matter, but the next step does not begin."""
    begun = []
    monkeypatch.setattr(sandbox, "run", lambda *_: os.kill(os.getpid(), signal.SIGTERM))
    before = signal.signal(signal.SIGTERM, partial(actions._stopped, "it was stopped"))
    try:
        release = action(shop, "release", "", released(shop, "1", UNFINISHED))
        views = Storage(shop, "1")
        steps = [("place", lambda: views.take_views(Log())), ("boot", lambda: begun.append(1))]
        assert not release.run(steps)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert not begun


# --- Which migrations contract ---


EXPANDING = [
    "create table `calls` (`id` bigint unsigned not null auto_increment primary key)",
    "alter table `calls` add `note` varchar(255) null",
    "alter table `calls` add `state` varchar(20) not null default 'new'",
    "alter table `calls` add index `calls_state_index`(`state`)",
    "alter table `calls` drop index `calls_state_index`",
    "alter table `calls` drop foreign key `calls_company_foreign`",
    "update `calls` set `state` = 'drop table'",
    "alter table `calls` add constraint `c` foreign key (`a`) references `b` (`id`)",
    "alter table `calls` add `note` varchar(20) not null default 'a, b'",
    "alter table `calls` add `price` decimal(8, 2) not null default '0'",
    "insert into `calls` (`note`) values ('rename table')",
    "alter table `calls` add constraint `c` foreign key (`a`) references `b` (`id`)"
    " on delete cascade",
    "select `change` from `calls`",
]

CONTRACTING = [
    "drop table `calls`",
    "drop table if exists `calls`",
    "alter table `calls` drop `note`",
    "alter table `calls` drop column `note`",
    "alter table `calls` add `a` int null, drop `note`",
    "alter table `calls` rename column `note` to `text`",
    "alter table `calls` change `note` `text` varchar(255)",
    "alter table `calls` modify `note` varchar(20) not null",
    "alter table `calls` add `state` varchar(20) not null",
    "alter table `calls` add `a` int not null, add `b` int null default 1",
    "alter table `calls` add unique `calls_note_unique`(`note`)",
    "rename table `calls` to `talks`",
    "alter table calls drop note",
    "alter table `calls` add `price` decimal(8, 2) not null",
    "alter table `calls` add `state` enum('a', 'b') not null",
    "create unique index calls_note on calls (note)",
    "alter table `calls` /* only */ drop `note`",
    "truncate `calls`",
    "delete from `calls`",
    "delete `calls` from `calls` inner join `companies` on 1 = 1",
    "/* no longer used */ drop table `calls`",
    "-- no longer used alter table `calls` drop `note`",
    "create table `talks` (`id` int); drop table `calls`",
    "alter table `calls` add (`state` varchar(20) not null)",
    "alter table `calls` ADD COLUMN(`state` int not null)",
    "/*!50000 drop table `calls` */",
    "/*M! drop table `calls` */",
]


@pytest.mark.parametrize("shape", ["  ⇂ {}  ", "AddNote: {}"], ids=["Laravel 10", "Laravel 8"])
@pytest.mark.parametrize("statement", EXPANDING)
def test_what_the_release_before_survives(statement: str, shape: str) -> None:
    assert not contracting([shape.format(statement)])


@pytest.mark.parametrize("shape", ["  ⇂ {}  ", "AddNote: {}"], ids=["Laravel 10", "Laravel 8"])
@pytest.mark.parametrize("statement", CONTRACTING)
def test_what_the_release_before_does_not_survive(statement: str, shape: str) -> None:
    assert contracting([shape.format(statement)]) == [statement]


def test_a_statement_may_have_several_lines() -> None:
    """Laravel 8 prints them as they are."""
    pretended = ["Note: alter table `calls`", "    modify `note` text,", "    add `a` int"]
    assert contracting(pretended) == ["alter table `calls` modify `note` text, add `a` int"]


def test_a_very_long_statement_is_judged_quickly() -> None:
    insert, nested = "insert into `calls` values ('x')" + ", ('x')" * 20_000, "(" * 10**6 + "drop x"
    assert contracting([f"  ⇂ {insert}", f"  ⇂ {nested}"]) == [nested]


def test_the_name_of_the_next_migration_is_no_sql() -> None:
    drop = "alter table `calls` drop `note`"
    assert contracting([f"  ⇂ {drop}", "  2026_01_01_000000_next ..... "]) == [drop]


def test_the_release_before_does_not_know_a_new_table() -> None:
    create, unique = (
        "create table `calls` (`note` text)",
        "alter table `calls` add unique `u`(`note`)",
    )
    assert not contracting([f"  ⇂ {create}", f"  ⇂ {unique}"])
    assert contracting([f"  ⇂ {create.replace('calls', 'talks')}", f"  ⇂ {unique}"]) == [unique]


def test_the_migrators_login_is_read_from_its_option_file(shop: Site) -> None:
    shop.migrator.write_text('# managed\n[client]\nuser = "m"\npassword = "a\\\\b#c%d"\n')
    assert login(shop) == {"DB_USERNAME": "m", "DB_PASSWORD": "a\\b#c%d"}


# --- What counts as a good answer ---


def test_a_good_answer_names_the_commit() -> None:
    site = Site.__new__(Site)
    object.__setattr__(site, "health", "/health")
    answered(site, 200, b'{"commit": "abc"}', "abc")
    for status, body, said in (
        (503, b'{"commit": "abc"}', "answered 503"),
        (200, b'{"commit": "abd"}', "by commit abd, not by abc"),
        (200, b'{"status": "ok"}', "does not tell its commit"),
        (200, b"\xff<html>", "does not tell its commit"),
        (200, b"[]", "does not tell its commit"),
    ):
        with pytest.raises(Failed, match=said):
            answered(site, status, body, "abc")


# --- What root does after the site's processes ---


def test_no_link_that_replaces_a_configuration_s_file_is_followed(
    shop: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that outlives the build still has its directory open."""
    secret, release = tmp_path / "secret", shop.releases / "1"
    secret.write_text("secret")
    secret.chmod(0o600)
    (release / "bootstrap/cache").mkdir(parents=True)
    (shop.home / "shared").mkdir()
    (shop.home / "shared/.env").touch()
    opened: list[int] = []

    def build(*_: object) -> None:
        built = shop.builds / "cache"
        (built / "config.php").write_text("new")
        opened.append(os.open(built, os.O_RDONLY))

    def seen(directory: Path) -> list[Path]:
        found = ordinary(directory)
        if opened:
            os.unlink("config.php", dir_fd=opened[0])
            os.symlink(secret, "config.php", dir_fd=opened[0])
        return found

    monkeypatch.setattr(sandbox, "run", build)
    monkeypatch.setattr(configuration, "ordinary", seen)
    monkeypatch.setattr(configuration, "call", lambda *words: None)
    monkeypatch.setattr("shutil.chown", lambda path, *_: os.chown(path, -1, -1))
    rebuild(replace(shop, configure=["config:cache"]), release, Log())
    os.close(opened[0])
    assert (release / "bootstrap/cache/config.php").read_text() == "new"
    assert secret.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("days", [-1, 1])
def test_a_configuration_is_stale_after_each_change_of_env_whatever_the_clock_says(
    shop: Site, monkeypatch: pytest.MonkeyPatch, read_here: Any, days: int
) -> None:
    """A build can date its files as it likes, and the clock may have been set."""
    site = replace(shop, configure=["config:cache"])
    env, cache = site.home / "shared/.env", site.releases / "1/bootstrap/cache"
    env.parent.mkdir(exist_ok=True)
    env.write_text("A=1\n")
    new = action(site, "release", "", released(site, "1"))

    def build(*_: object) -> None:
        cache.mkdir(parents=True)
        (cache / "config.php").touch()
        os.utime(cache, (time.time() + days * 86400,) * 2)

    def stale() -> set[object]:
        where = {"home": str(site.home), "state": str(site.state)}
        fact = read_here(CachedConfigurationFact, **where)
        return {configuration.stale(site, Releases(site).path("1")), fact == "stale"}

    monkeypatch.setattr(Build, "build", build)
    monkeypatch.setattr(Build, "place", lambda _: None)
    monkeypatch.setattr(Storage, "take_views", lambda *_: None)
    monkeypatch.setattr(actions, "to_disk", lambda *_: None)
    steps = dict(new.steps())
    steps["build"]()
    steps["place"]()
    assert stale() == {False}
    env.write_text("A=2\n")
    assert stale() == {True}
    # Built from an .env that changed before the clock went back.
    configuration.note(site.releases / "1", configuration.changed(site) + 86400 * 10**9)
    assert stale() == {True}
    monkeypatch.setattr(sandbox, "run", lambda *_: None)
    monkeypatch.setattr(configuration, "call", lambda *_: None)
    monkeypatch.setattr("shutil.chown", lambda path, *_: os.chown(path, -1, -1))
    rebuild(site, site.releases / "1", Log())
    assert stale() == {False}


# --- The sandbox, the journal, the lock ---


UNIT = """
[Unit]
Description=PHP

[Service]
Type=exec
User=shop-staging
# A comment
ExecStart=/usr/sbin/php-fpm8.4
Environment=A=1
MemoryMax=100M
TemporaryFileSystem=/var/log:ro
BindPaths=/var/log/php-fpm-shop-staging
SystemCallFilter=@system-service
SystemCallFilter=~@aio

[Install]
WantedBy=multi-user.target
"""


def test_what_confines_php_confines_a_build(
    shop: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sandbox, "UNITS", tmp_path)
    (tmp_path / shop.php_fpm).write_text(UNIT)
    assert sandbox.walls(shop) == [
        "User=shop-staging",
        "TemporaryFileSystem=/var/log:ro",
        "SystemCallFilter=@system-service",
        "SystemCallFilter=~@aio",
        "BindReadOnlyPaths=/usr/bin/php8.4:/usr/bin/php",
    ]


def test_a_release_is_on_disk_before_it_is_switched_to(
    shop: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a power cut, its names could be there, and its files empty."""
    done: list[str] = []
    monkeypatch.setattr(Build, "place", lambda _: done.append("placed"))
    monkeypatch.setattr(Storage, "take_views", lambda *_: done.append("views"))
    monkeypatch.setattr(build, "call", lambda *words: done.append(" ".join(map(str, words))))
    placed = action(shop, "release", "", released(shop, "1", UNFINISHED))
    dict(placed.steps())["place"]()
    storage = shop.home / "shared/storage"
    assert done == ["placed", "views", f"sync --file-system {shop.releases / '1'} {storage}"]


def test_a_link_at_a_path_that_is_too_long_to_be_looked_at_is_refused(
    shop: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another link could lead to it by a shorter path."""
    monkeypatch.setattr(build, "call", lambda *_: None)
    monkeypatch.setattr(build, "copy_files", lambda *_: None)
    here = Path.cwd()
    new = Build(shop, "1")
    new.path.mkdir()
    new.copy.mkdir()
    os.chdir(new.copy)
    try:
        for _ in range(17):
            Path("\xff" * 120).mkdir()
            os.chdir("\xff" * 120)
        Path("link").symlink_to("/etc/passwd")
    finally:
        os.chdir(here)
    with pytest.raises(Failed, match="paths of more than 2000 characters"):
        new.hand_over()
    subprocess.run(["rm", "-rf", new.copy], check=True)


def test_a_site_by_another_version_keeps_no_other_from_its_recovery(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """deploy.py writes the program, and then one site after the other."""
    monkeypatch.setattr(site, "SITES", tmp_path)
    (tmp_path / "shop-staging.json").write_text('{"home": "/", "migrator": "/", "of": "tomorrow"}')
    assert recover_sites(argparse.Namespace(site=[])) == 1
    assert "shop-staging.json is by another version" in capsys.readouterr().err


def test_a_step_gets_its_words_as_they_are(
    shop: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """systemd would replace a ${VARIABLE}."""
    monkeypatch.setattr(sandbox, "UNITS", tmp_path)
    (tmp_path / shop.php_fpm).write_text(UNIT)
    assert sandbox.step(shop, ["sh", "-c", "v=1; echo ${v}"], [])[-1] == "v=1; echo $${v}"


def test_a_step_may_have_less_time_than_others(
    shop: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of two limits, systemd takes the last one."""
    monkeypatch.setattr(sandbox, "UNITS", tmp_path)
    (tmp_path / shop.php_fpm).write_text(UNIT)
    words = sandbox.step(shop, ["true"], ["RuntimeMaxSec=1min"])
    limits = [word for word in words if "RuntimeMaxSec" in word]
    assert limits[-1] == "--property=RuntimeMaxSec=1min"


def test_compiled_views_take_the_place_of_pipes_without_waiting(shop: Site, tmp_path: Path) -> None:
    compiled, views = tmp_path / "compiled", tmp_path / "views"
    for directory in (compiled, views):
        directory.mkdir()
    (compiled / "a.php").write_text("view")
    os.mkfifo(views / "a.php")
    subprocess.run(["sh", "-euc", TAKE, "views", compiled, views], check=True, timeout=10)
    assert (views / "a.php").read_text() == "view"


def test_a_step_s_tmp_is_on_disk_and_empty(shop: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine's may be in memory, and the database's, too."""
    monkeypatch.setattr("shutil.chown", lambda *_: None)
    with sandbox.own_tmp(shop) as bound:
        (path,) = shop.builds.iterdir()
        assert bound == f"BindPaths={path}:/tmp {path}:/var/tmp"
    assert not any(shop.builds.iterdir())


def test_a_line_that_a_power_cut_has_cut_short_is_left_out(shop: Site) -> None:
    journal.append(shop, {"id": "1"})
    with journal.path_of(shop).open("a") as file:
        file.write('{"id": "2", "outc')
    assert journal.entries(shop) == [{"id": "1"}]
    journal.append(shop, {"id": "3"})
    assert [entry["id"] for entry in journal.entries(shop)] == ["1", "3"]


def test_who_follows_reads_what_is_new_in_the_journal_alone(
    shop: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = (json.dumps({"id": f"{n}", "outcome": "done", "of": "x" * 99}) for n in range(10_000))
    shop.logs.mkdir(parents=True)
    journal.path_of(shop).write_text("".join(f"{line}\n" for line in lines))
    parsed: list[str] = []
    parse = journal._parsed

    def counted(line: str) -> Any:
        parsed.append(line)
        return parse(line)

    monkeypatch.setattr(journal, "_parsed", counted)
    newest = journal.Newest(shop)
    assert newest.outcome("9999") == "done"
    assert len(parsed) < 1000
    del parsed[:]
    assert newest.outcome("next") is None
    with journal.path_of(shop).open("a") as file:
        file.write('{"id": "next", "outc')
        file.flush()
        assert newest.outcome("next") is None
        file.write('ome": "failed"}\n')
    assert newest.outcome("next") == "failed"
    assert parsed == ['{"id": "next", "outcome": "failed"}']


def test_a_journal_that_does_not_exist_yet_can_be_followed(shop: Site) -> None:
    newest = journal.Newest(shop)
    assert newest.outcome("1") is None
    journal.append(shop, {"id": "1", "outcome": "done"})
    assert newest.outcome("1") == "done"


def test_an_action_that_cannot_be_read_stops_no_other(shop: Site) -> None:
    (shop.state / "actions").mkdir(parents=True)
    (shop.state / "actions/1.json").write_text("{")
    (shop.state / "actions/2.json").write_text('{"release": {"id": "of tomorrow"}}')
    assert all_asked(shop) == []


def test_a_release_prints_nothing_that_a_terminal_obeys(
    capsys: pytest.CaptureFixture[str],
) -> None:
    log = Log()
    log.output(b"\x1b]0;title\x07 \xff\r\n")
    log.say("a\x1b[2J\nb")
    assert capsys.readouterr().out == "    \\x1b]0;title\\x07 \\xff\\r\na\\x1b[2J\nb\n"


def test_empty_lines_are_output_too(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`yes ''` would fill the disk."""
    monkeypatch.setattr("stagecraft.on_server.log.MOST", 10)
    log = Log()
    for _ in range(20):
        log.output(b"")
    assert log.cut
    assert len(capsys.readouterr().out.splitlines()) == 11


def test_what_a_health_check_prints_is_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PHP could fill the machine's memory with errors."""
    program = tmp_path / "cgi-fcgi"
    program.write_text("#!/bin/sh\nhead -c 1000000 /dev/zero >&2\necho 'Status: 200'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    done = subprocess.run(["sh", "-c", ASK, "sh", "/socket", "10"], capture_output=True)
    assert (len(done.stderr), done.stdout) == (500, b"Status: 200\n")


HOLD = """
import sys, time
from pathlib import Path
from stagecraft.on_server import lock, site
site.STATE, lock.SERVER = Path(sys.argv[1]), Path(sys.argv[2])
shop = site.Site.__new__(site.Site)
object.__setattr__(shop, "name", "shop-staging")
with lock.lock(shop, "release 1 by anna"):
    print("locked", flush=True)
    sys.stdin.read()
"""


def test_the_second_of_two_actions_is_told_of_the_first(shop: Site, tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLD, str(tmp_path / "state"), str(tmp_path / "run")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout and holder.stdout.readline() == b"locked\n"
        other = replace(shop, name="other-staging")
        with pytest.raises(Failed, match="busy: release 1 by anna since 2"), lock(shop, "me"):
            pass
        assert busy(shop).startswith("release 1 by anna")
        with lock(other, "me"):  # sites do not wait for one another
            pass
        holder.kill()
    with lock(shop, "me"):
        pass
    assert not busy(shop)


def test_who_only_asks_is_in_nobody_s_way(shop: Site) -> None:
    """A second client asks just when the first one's action begins, or when a recovery does."""
    over = threading.Event()

    def ask() -> None:
        while not over.is_set():
            busy(shop)

    asking = [threading.Thread(target=ask) for _ in range(3)]
    for thread in asking:
        thread.start()
    try:
        for _ in range(300):
            with lock(shop, "me"):
                pass
    finally:
        over.set()
        for thread in asking:
            thread.join()


def test_what_could_not_begin_leaves_nothing(shop: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second of two that were uploaded at the same time."""
    release = released(shop, "1")
    request = Request("1", "release", "anna", "root", release.at, release)
    archive = archive_of(shop, "1")
    archive.parent.mkdir(parents=True)
    archive.write_text("archive")
    monkeypatch.setattr("stagecraft.on_server.lock.busy", lambda _: "another")
    with pytest.raises(Failed, match="busy: another"):
        unit.start(shop, request)
    assert not list(archive.parent.iterdir())


def test_logs_do_not_fill_the_disk_in_the_end(shop: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who may release could write 10 MB each time."""
    shop.logs.mkdir(parents=True)
    for name in ("journal.jsonl", *(f"{number}.log" for number in range(1000, 1105))):
        (shop.logs / name).touch()
    monkeypatch.setattr(unit, "wait_for_the_end", lambda _: None)
    monkeypatch.setattr(unit.subprocess, "run", lambda *_, **__: argparse.Namespace(returncode=0))
    release = released(shop, "1")
    unit.start(shop, Request("1", "release", "anna", "root", release.at, release))
    left = sorted(path.name for path in shop.logs.iterdir())
    assert (len(left), left[0], left[-1]) == (101, "1005.log", "journal.jsonl")


def test_a_client_that_is_gone_leaves_no_archive(
    shop: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the link into the closed site cannot be shown to it any more."""

    def gone(*_: object, **__: object) -> None:
        raise BrokenPipeError

    monkeypatch.setattr(Site, "read", lambda _: shop)
    monkeypatch.setattr("sys.stdin", TextIOWrapper(BytesIO(b"archive")))
    monkeypatch.setattr("stagecraft.on_server.command.print", gone, raising=False)
    words = ["release", shop.name, "--commit", "a" * 40, "--size", "7", "--maintenance"]
    with pytest.raises(BrokenPipeError):
        release(parser().parse_args(words))
    assert not list(archive_of(shop, "").parent.glob("*.tar"))
    assert not list(archive_of(shop, "").parent.glob("upload-*"))


def test_a_full_disk_is_said_in_a_sentence(
    shop: Site, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(_: str) -> Site:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Site, "read", full)
    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.setattr(sys, "argv", ["stagecraft", "releases", shop.name])
    assert main() == 1
    assert capsys.readouterr().err == "Error: [Errno 28] No space left on device\n"
