"""What a release asks for before it begins, and what happens around its steps."""

from __future__ import annotations

import json
import os
import shutil
import stat
import time
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import ValidationError

from stagecraft.on_server import actions as of_a_site
from stagecraft.on_server import (
    assets,
    dotenv,
    dry,
    files,
    hooks,
    journal,
    maintenance,
    requirements,
    sandbox,
    workers,
)
from stagecraft.on_server.actions import RELEASE, ROLLBACK, Action, Request, Stopped, ask, pending
from stagecraft.on_server.constraints import satisfied
from stagecraft.on_server.hooks import changed, listed
from stagecraft.on_server.log import Log
from stagecraft.on_server.releases import BAD, GOOD, WITHDRAWN, Release, Releases
from stagecraft.on_server.site import Failed, Site
from stagecraft.settings.models import App
from stagecraft.settings.values import HOOKS


def released(shop: Site, id: str, state: str = GOOD) -> None:
    releases = Releases(shop)
    releases.record(Release(id, id * 40, "main", "anna", "2026-11-30T12:00:00Z", state))
    releases.path(id).mkdir()
    releases.switch(id)


# --- What composer's files ask for ---


@pytest.mark.parametrize(
    ("constraint", "yes", "no"),
    [
        ("^8.2", ["8.2.0", "8.4.11"], ["8.1.30", "9.0.0"]),
        ("^8.2.5", ["8.2.5", "8.3.0"], ["8.2.4"]),
        ("^0.3.1", ["0.3.9"], ["0.4.0"]),
        ("~8.1", ["8.1.0", "8.4.0"], ["9.0.0", "8.0.9"]),
        ("~8.1.2", ["8.1.9"], ["8.2.0", "8.1.1"]),
        (">=8.1 <8.4", ["8.1.0", "8.3.99"], ["8.4.0", "8.0.0"]),
        (">= 8.1, < 8.4", ["8.2.1"], ["8.4.0"]),
        ("^7.4 || ^8.0", ["7.4.1", "8.4.0"], ["7.3.0"]),
        ("^7.4|^8.0", ["8.4.0"], ["7.3.0"]),
        ("8.2.*", ["8.2.7"], ["8.3.0"]),
        ("8.1 - 8.3", ["8.3.9", "8.1.0"], ["8.4.0"]),
        ("8.1.0 - 8.3.1", ["8.3.1"], ["8.3.2"]),
        ("!=8.3.1", ["8.3.0"], ["8.3.1"]),
        (">8.3", ["8.3.1"], ["8.3.0"]),
        ("*", ["8.4.0"], []),
        ("@dev", ["8.4.0"], []),
        ("dev-main", ["8.4.0"], []),
        ("^8.2" + " " * 500, ["5.6.0"], []),
    ],
)
def test_constraints_mean_what_composer_takes_them_for(
    constraint: str, yes: list[str], no: list[str]
) -> None:
    assert [version for version in yes if not satisfied(version, constraint)] == []
    assert [version for version in no if satisfied(version, constraint)] == []


LOCK = {
    "packages": [
        {"name": "laravel/framework", "require": {"php": "^8.2", "ext-mbstring": "*"}},
        {"name": "symfony/polyfill", "provide": {"ext-mbstring": "*"}},
        {"name": "shop/images", "require": {"ext-imagick": ">=3", "lib-icu": "*", "a/b": "1"}},
    ],
    "packages-dev": [{"name": "debug/bar", "require": {"ext-xdebug": "*"}}],
}


@pytest.fixture
def php(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    found = {"php": "8.4.11", "redis": "6.0.2", "json": "8.4.11"}
    monkeypatch.setattr(requirements, "loaded", lambda *_: found)
    return found


@pytest.fixture
def env(shop: Site) -> Path:
    path = shop.home / "shared/.env"
    path.parent.mkdir()
    path.write_text('APP_NAME="The \\"Shop\\""\nMAIL_FROM=\nDB_HOST=localhost\n')
    return path


def test_what_packages_bring_themselves_is_not_asked_for() -> None:
    files = {"composer.json": '{"require": {"php": "^8.1"}}', "composer.lock": json.dumps(LOCK)}
    assert list(requirements.platform(files)) == [
        ("composer.json", "php", "^8.1"),
        ("laravel/framework", "php", "^8.2"),
        ("shop/images", "ext-imagick", ">=3"),
    ]


def test_each_part_of_the_platform_that_is_missing_is_named(
    shop: Site,
    php: dict[str, str],
    env: Path,
) -> None:
    asked = {"php": "^8.5", "ext-imagick": "*", "ext-redis": "^5.0", "ext-json": "*"}
    said = requirements.problems(shop, {"composer.json": json.dumps({"require": asked})})
    assert [line.split(",")[0] for line in said] == [
        "composer.json requires php ^8.5",
        "composer.json requires ext-imagick",
        "composer.json requires ext-redis ^5.0",
    ]
    assert "the site has 8.4.11: set `php:`" in said[0]
    assert "add it to php_extensions:" in said[1]


@pytest.mark.parametrize(
    "text", ["[]", "{", '{"require": []}', '{"require": {"php": 8}}', '{"packages": [1, null]}']
)
def test_composer_s_files_may_contain_anything(
    shop: Site,
    php: dict[str, str],
    env: Path,
    text: str,
) -> None:
    said = requirements.problems(shop, {"composer.json": text, "composer.lock": text})
    assert len(said) <= 2
    deep = requirements.problems(shop, {"composer.lock": "[" * 100_000})
    assert deep and deep[0].startswith("composer.lock is not JSON")


@pytest.mark.parametrize("part", ["{},", "[0],"])
def test_composer_s_files_do_not_fill_root_s_memory(shop: Site, env: Path, part: str) -> None:
    text = f"[{part * 150_000}0]"
    tracemalloc.start()
    said = requirements.problems(shop, {"composer.lock": text})
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert said == ["composer.lock has more than 100000 objects and lists"]
    assert peak < 10_000_000


def test_a_release_s_files_are_read_and_nothing_that_they_lead_to(tmp_path: Path) -> None:
    (tmp_path / "composer.json").write_text("{}")
    assert requirements.read(tmp_path) == {"composer.json": "{}"}
    secret = tmp_path / "secret"
    secret.write_text("root's")
    (tmp_path / ".env.example").symlink_to(secret)
    with pytest.raises(Failed, match=r"\.env\.example cannot be read as a file"):
        requirements.read(tmp_path)
    (tmp_path / ".env.example").unlink()
    os.mkfifo(tmp_path / ".env.example")
    with pytest.raises(Failed, match=r"\.env\.example is no ordinary file"):
        requirements.read(tmp_path)
    (tmp_path / ".env.example").unlink()
    (tmp_path / ".env.example").write_text("A=1\n" * 20_000)
    with pytest.raises(Failed, match=r"\.env\.example has more than 65536 bytes"):
        requirements.read(tmp_path)


# --- Variables ---


def test_variables_are_read_as_laravel_reads_them() -> None:
    text = (
        'A=1\n# B=2\nexport C = three # not this\nD="a\\"b $x"\nE=\'it\'\'s\'\nF=\n  G=""\n'
        'H="-----BEGIN\nI=none\n-----END"\nnonsense\n'
    )
    found = dotenv.parse(text)
    assert found | {"E": "", "H": ""} == {
        **{"A": "1", "C": "three", "D": 'a"b $x', "E": "", "F": "", "G": "", "H": ""}
    }


def test_variables_that_the_example_has_are_wanted(
    shop: Site,
    env: Path,
) -> None:
    site = replace(shop, derived="DB_.*")
    example = "APP_NAME=x\nRETELL_API_KEY=\nDB_FOREIGN=1\nMAIL_FROM=hello@shop.test\n"
    (said,) = requirements.problems(site, {".env.example": example})
    assert said.startswith(".env lacks what .env.example has: RETELL_API_KEY. Set each one")
    (note,) = requirements.notes(site, {".env.example": example})
    assert note == ".env leaves MAIL_FROM empty, which .env.example sets"


# --- Hooks ---


def request_of(verb: str = RELEASE, **more: bool) -> Request:
    release = Release("9", "9" * 40, "main", "anna", "2026-11-30T12:00:00Z")
    return Request("9", verb, "anna", "root", release.at, release, before="placeholder", **more)


def names(site: Site, request: Request) -> list[str]:
    return [name for name, _ in Action(site, request, Log()).steps()]


def test_every_hook_that_can_be_declared_has_its_place(shop: Site) -> None:
    every = {name: ["true"] for name in HOOKS}
    found = names(replace(shop, hooks=every), request_of())
    assert set(every) <= set(found)
    for place in HOOKS:
        when, _, step = place.partition("_")
        beside = found[found.index(place) + (1 if when == "before" else -1)]
        assert beside == step, place
    assert {*hooks.BUILDING, *hooks.SERVING} <= set(HOOKS)
    assert names(shop, request_of()) == [name for name in found if name not in every]


def test_a_maintenance_window_is_around_the_migrations(shop: Site) -> None:
    found = names(shop, request_of(maintenance=True))
    assert found[found.index("close") :] == [
        *("close", "migrate", "switch", "health", "open", "workers", "finish")
    ]


@pytest.fixture
def quiet(shop: Site, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """What would need a server; the names of the hooks that run. One fails if its command does."""
    ran: list[str] = []

    def run(self: hooks.Hooks, place: str, log: Log) -> None:
        ran.append(place)
        if "false" in self.at(place):
            raise Failed("the hook `false` failed")
        if "stopped" in self.at(place):
            raise Stopped("it was stopped")

    monkeypatch.setattr(hooks.Hooks, "run", run)
    monkeypatch.setattr(of_a_site, "reload", lambda *_: None)
    for module, name in (
        *((sandbox, "end_step"), (workers, "restart"), (of_a_site.health, "end_own_php_fpm")),
        *((of_a_site.health, "serves"), (of_a_site.health, "boots")),
    ):
        monkeypatch.setattr(module, name, lambda *_: None)
    return ran


def test_a_hook_that_fails_stops_a_release_but_not_a_rollback(
    shop: Site,
    quiet: list[str],
) -> None:
    released(shop, "1")
    released(shop, "2")
    site = replace(shop, hooks={"before_switch": ["false"]})
    back = replace(request_of(ROLLBACK, now=True), release=Releases(site).previous(), before="2")
    action = Action(site, back, Log())
    assert action.run(action.steps())
    assert Releases(site).current() == "1"
    (entry,) = journal.entries(site)
    assert entry["notes"] == ["before_switch: the hook `false` failed"]
    forth = Action(site, request_of(), Log())
    assert not forth.run([step for step in forth.steps() if step[0] == "before_switch"])
    assert "before_switch: the hook `false` failed" in journal.entries(site)[-1]["problem"]


@pytest.mark.parametrize(("place", "current"), [("before_switch", "2"), ("after_finish", "1")])
def test_what_is_stopped_in_a_hook_is_undone_until_the_last_step(
    shop: Site, quiet: list[str], place: str, current: str
) -> None:
    released(shop, "1")
    released(shop, "2")
    site = replace(shop, hooks={place: ["stopped"]})
    back = replace(request_of(ROLLBACK, now=True), release=Releases(site).previous(), before="2")
    action = Action(site, back, Log())
    action.run(action.steps())
    assert Releases(site).current() == current
    entry = journal.entries(site)[-1]
    assert f"{place}: it was stopped" in [entry["problem"], *entry["notes"]]


def test_a_hook_that_fails_after_the_last_step_is_noted(
    shop: Site,
    quiet: list[str],
) -> None:
    site = replace(shop, hooks={"after_finish": ["false"]})
    released(site, "9")
    action = Action(site, request_of(), Log())
    assert action.run(action.steps()[-2:])
    entry = journal.entries(site)[-1]
    assert (entry["outcome"], quiet) == ("done", ["after_finish"])
    assert entry["notes"] == ["after_finish: the hook `false` failed"]


def test_a_release_that_is_killed_after_its_last_step_stays(
    shop: Site,
    quiet: list[str],
) -> None:
    released(shop, "1")
    released(shop, "9")
    request = replace(request_of(), before="1")
    action = Action(shop, request, Log())
    ask(shop, request)
    action._finish()
    of_a_site.recover(shop)
    assert Releases(shop).current() == "9"
    assert {r.id: r.state for r in Releases(shop).all()}["9"] == GOOD
    assert journal.entries(shop)[-1]["outcome"] == "done"
    assert not pending(shop, "9").exists()


def test_what_differs_between_two_releases_is_listed_as_a_url_has_it(tmp_path: Path) -> None:
    for name in ("old", "new"):
        public = tmp_path / name
        (public / "build").mkdir(parents=True)
        (public / "same.css").write_text("a")
        (public / "robots.txt").write_text(name)
        (public / f"build/app {name}\n.js").write_text("")
        (public / f"build/ü \udcff{name}.js").write_text("")
        (public / "storage").symlink_to("/etc")
    assert list(changed(tmp_path / "old", tmp_path / "new")) == [
        "/build/app%20new%0A.js",
        "/build/app%20old%0A.js",
        "/build/%C3%BC%20%FFnew.js",
        "/build/%C3%BC%20%FFold.js",
        "/robots.txt",
    ]


def test_nobody_but_root_can_write_to_what_a_hook_reads() -> None:
    with listed(iter(["/a", "/b"])) as descriptor:
        assert os.read(descriptor, 100) == b"/a\n/b\n"
        assert stat.S_IMODE(os.fstat(descriptor).st_mode) & 0o077 == 0
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.write(descriptor, b"x")


# --- Assets ---


@pytest.fixture
def built(shop: Site, monkeypatch: pytest.MonkeyPatch) -> Site:
    monkeypatch.setattr(shutil, "chown", lambda *_: None)
    return replace(shop, assets=["build/assets"])


def asset(site: Site, release: str, name: str, content: str) -> Path:
    path = site.releases / release / "public" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    return path


def kept(site: Site) -> dict[str, str]:
    found = site.home / "assets"
    return {
        str(path.relative_to(found)): path.read_text()
        for path in found.rglob("*")
        if path.is_file()
    }


def test_assets_of_good_releases_are_gathered_and_go_with_them(built: Site) -> None:
    states = {"1": GOOD, "2": WITHDRAWN, "3": BAD, "4": GOOD}
    for id, state in states.items():
        released(built, id, state)
        asset(built, id, f"build/assets/app-{id}.js", id)
        asset(built, id, "build/assets/same.css", id)
        asset(built, id, "index.php", id)
    for _ in range(3):
        assets.gather(built)
        assert kept(built) == {
            "build/assets/app-1.js": "1",
            "build/assets/app-2.js": "2",
            "build/assets/app-4.js": "4",
            "build/assets/same.css": "4",
        }
        left = [path.name for path in built.home.iterdir() if path.name.startswith(".assets")]
        assert len(left) == 1
    shutil.rmtree(Releases(built).path("1"))
    assets.gather(built)
    assert "build/assets/app-1.js" not in kept(built)


def test_no_link_leads_to_an_asset(built: Site, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "key.js").write_text("secret")
    released(built, "1")
    (tmp_path / "key").write_text("secret")
    (asset(built, "1", "build/assets/app.js", "1").parent / "link.js").symlink_to(tmp_path / "key")
    (built.releases / "1/public/build/assets/below").symlink_to(secret)
    released(built, "2")
    (built.releases / "2/public").mkdir()
    (built.releases / "2/public/build").symlink_to(secret.parent)
    secret.rename(tmp_path / "assets")
    assets.gather(built)
    assert kept(built) == {"build/assets/app.js": "1"}


def test_a_file_of_one_release_may_be_a_directory_of_another(built: Site) -> None:
    released(built, "1")
    asset(built, "1", "build/assets/a", "1")
    asset(built, "1", "build/assets/b/c", "1")
    released(built, "2")
    asset(built, "2", "build/assets/a/b", "2")
    asset(built, "2", "build/assets/b", "2")
    assets.gather(built)
    assert kept(built) == {"build/assets/a/b": "2", "build/assets/b": "2"}


# --- Keeping visitors out ---


@pytest.fixture
def closing(
    shop: Site,
    quiet: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Site:
    monkeypatch.setattr(maintenance, "CLOSED", tmp_path / "maintenance")
    monkeypatch.setattr(maintenance, "through_nginx", lambda *_: (503, b""))
    monkeypatch.setattr(shutil, "chown", lambda *_: None)
    return shop


def closed(site: Site, before: str) -> Request:
    """A release that has closed the site."""
    request = replace(request_of(maintenance=True), before=before)
    maintenance.make_pass(of_a_site.pass_of(site, request.id))
    ask(site, request)
    Action(site, request, Log())._close()
    assert maintenance.is_closed(site)
    return request


def test_the_secret_is_a_file_s_name_that_nobody_can_list(closing: Site) -> None:
    maintenance.make_pass(closing.state / "pass")
    secret = (closing.state / "pass").read_text()
    said = maintenance.admitting(closing, closing.state / "pass")
    assert said.endswith(f": https://shop.test/.well-known/stagecraft/{secret}")
    maintenance.close(closing, secret)
    directory = maintenance.CLOSED / closing.name
    assert {path.name for path in directory.iterdir()} == {"closed", secret}
    assert stat.S_IMODE(directory.stat().st_mode) == 0o710


def test_a_release_that_was_killed_leaves_no_site_closed(
    closing: Site,
    capsys: pytest.CaptureFixture[str],
) -> None:
    released(closing, "1")
    request = closed(closing, "1")
    secret = of_a_site.pass_of(closing, request.id).read_text()
    of_a_site.recover(closing)
    assert not maintenance.is_closed(closing)
    assert not of_a_site.pass_of(closing, request.id).exists()
    assert secret not in journal.path_of(closing).read_text() + capsys.readouterr().out


def test_a_site_opens_even_if_the_way_back_fails(
    closing: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    released(closing, "1")
    request = closed(closing, "1")

    def full(*_: object) -> None:
        raise OSError("No space left on device")

    Releases(closing).switch("placeholder")
    monkeypatch.setattr(files, "link", full)
    with pytest.raises(OSError, match="No space"):
        Action(closing, request, Log()).end("failed", "migrate: it failed")
    assert not maintenance.is_closed(closing)


def test_nobody_migrates_while_visitors_still_come_in(
    closing: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(maintenance, "through_nginx", lambda *_: (200, b""))
    with pytest.raises(Failed, match=r"nginx keeps nobody out yet: run deploy\.py"):
        maintenance.close(closing, "secret")


def impatient(site: Site) -> Action:
    """A release that may close the site for a second."""
    released(site, "1")
    request = replace(request_of(maintenance=True), before="1")
    maintenance.make_pass(of_a_site.pass_of(site, request.id))
    return Action(replace(site, maintenance=1), request, Log())


def test_what_hangs_keeps_visitors_out_for_no_longer_than_the_site_allows(closing: Site) -> None:
    action = impatient(closing)
    began = time.monotonic()
    assert not action.run([("close", action._close), ("migrate", lambda: time.sleep(20))])
    assert time.monotonic() - began < 5
    assert not maintenance.is_closed(closing)
    (entry,) = journal.entries(closing)
    assert entry["problem"] == "migrate: visitors were kept out for 1 s"


def test_an_open_site_has_time(closing: Site) -> None:
    action = impatient(closing)
    steps = [("close", action._close), ("open", action._open), ("slow", lambda: time.sleep(1.5))]
    assert action.run(steps)


def test_longer_than_promised_is_noted(closing: Site, capsys: pytest.CaptureFixture[str]) -> None:
    released(closing, "1")
    request = closed(closing, "1")
    flag = maintenance.CLOSED / closing.name / "closed"
    os.utime(flag, (flag.stat().st_mtime - 40,) * 2)
    action = Action(closing, request, Log())
    action._open()
    assert action.downtime >= 40
    assert "longer than the 30 s that a release may take" in capsys.readouterr().out


# --- What would happen ---


def test_a_plan_has_the_steps_with_their_commands(
    shop: Site,
    env: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(dry.preflight, "problems", lambda *_: ["the disk is full"])
    site = replace(
        shop, build=["make"], migrate="php artisan migrate", hooks={"after_switch": ["purge"]}
    )
    for id in "123":
        released(site, id)
    plan = dry.plan(site, request_of(), 1000, {".env.example": "NEW=1\n"})
    assert (plan.running, plan.next) == ("3" * 40, "9" * 40)
    assert plan.removed == ["1", "2"]
    assert plan.problems[0] == "the disk is full" and "NEW" in plan.problems[1]
    steps = list(plan.steps)
    assert steps[steps.index("build") + 1] == "  $ make"
    assert steps[steps.index("after_switch") + 1] == "  $ purge"
    assert [r.id for r in Releases(site).all()] == ["1", "2", "3"]
    of_an_artifact = dry.plan(site, replace(request_of(), built=True), 1000, {})
    assert "  $ make" not in of_an_artifact.steps


@pytest.mark.parametrize("data", [[], {"passwd": ""}, {"composer.json": 1}])
def test_only_the_files_that_are_checked_are_taken(data: object) -> None:
    with pytest.raises(Failed):
        dry.checked(data)


def test_a_hook_of_no_step_is_refused_with_the_nearest_one() -> None:
    App(source="app", hooks={"after_switch": ["true"]})
    with pytest.raises(ValidationError, match="unknown step; did you mean 'after_switch'"):
        App(source="app", hooks={"after_swich": ["true"]})
    with pytest.raises(ValidationError, match="unknown step; did you mean 'after_unpack'"):
        App(source="app", hooks={"before_unpack": ["true"]})
