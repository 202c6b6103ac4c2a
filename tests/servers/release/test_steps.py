"""What a release asks for before it begins, and what happens around its steps."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from application import Application
from load import visited
from provisioned import Provisioned
from releasing import HOME, NAME, SITE, Releasing, releasing

from stagecraft.settings.values import HOOKS

QUEUE = f"worker@{NAME}:queue:1.service"
CLOSED = f"/run/stagecraft-maintenance/{NAME}"


@pytest.fixture(scope="module")
def site(trixie: Provisioned, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Releasing]:
    """Each hook runs the release's own file of its name."""
    hooks = {place: [f"[ ! -e hooks/{place} ] || sh -eu hooks/{place}"] for place in HOOKS}
    app = {"hooks": hooks, "maintenance": 25}
    with releasing(trixie, tmp_path_factory.mktemp("steps"), app) as site:
        site.release()
        yield site


# --- Preflight ---


def test_what_a_release_asks_for_in_vain_is_named_before_it_is_built(site: Releasing) -> None:
    before = site.serving
    composer = json.dumps({"require": {"php": "^9.1", "ext-imagick": "*", "ext-redis": ">=5"}})
    asks = {"composer.json": composer, ".env.example": "APP_NAME=\nRETELL_ROUTE=x\n"}
    site.app.branch("asks", asks)
    done = site.run("release", "staging", "asks")
    assert done.code == 1 and "==> build" not in done.output
    failed = done.output.partition("Failed at requirements: ")[2]
    for said in (
        "composer.json requires php ^9.1, and the site has 8.4",
        "composer.json requires ext-imagick, which the site's php8.4 lacks: add it to",
        ".env lacks what .env.example has: RETELL_ROUTE. Set each one under `env:`",
    ):
        assert said in failed, done.output
    assert "ext-redis" not in failed
    assert site.serving == before


def test_logins_that_do_not_work_are_named_before_anything_is_changed(site: Releasing) -> None:
    migrator = site.host.site().database.migrator
    found = "find /var/www /etc/stagecraft -newer /tmp/mark ! -path '*/storage/*'"
    env = f"{HOME}/shared/.env"
    site.host.ssh(f"cp -a {env} /tmp/env && sed -Ei 's/^((REDIS|DB)_PASSWORD=).*/\\1wrong/' {env}")
    site.host.ssh(f"echo \"alter user '{migrator}'@localhost account lock\" | mariadb")
    site.host.ssh("sleep 0.1; touch /tmp/mark")
    try:
        done = site.run("release", "staging")
        changed = site.host.ssh(found)
    finally:
        site.host.ssh(f"cp -a /tmp/env {env}; rm /tmp/env /tmp/mark")
        site.host.ssh(f"echo \"alter user '{migrator}'@localhost account unlock\" | mariadb")
    assert done.code == 1
    failed = done.output.partition("Failed at preflight: ")[2]
    assert "the app's login does not reach the database" in failed, done.output
    assert "the migrator's login does not reach the database" in failed
    assert "the login does not reach Redis" in failed and "WRONGPASS" in failed
    assert changed == ""


def test_logins_are_tried_with_mysql_too(mysql: Provisioned, tmp_path: Path) -> None:
    app = Application(tmp_path / "app")
    settings = {"source": str(app.directory), "build": []}
    account = f"'{mysql.site().database.migrator}'@localhost account"
    with mysql.project.edited("staging", {"sites": {"askpro": {"app": settings}}}):
        mysql.project.apply("staging")
        well = mysql.project.stagecraft("release", "staging", "--dry")
        mysql.ssh("mysql", input=f"alter user {account} lock")
        locked = mysql.project.stagecraft("release", "staging", "--dry")
        mysql.ssh("mysql", input=f"alter user {account} unlock")
    mysql.project.apply("staging")
    assert "login does not reach" not in well.output
    assert "the migrator's login does not reach the database" in locked.output, locked.output


def test_a_certificate_that_ends_soon_is_named(site: Releasing) -> None:
    certificate = f"/etc/ssl/stagecraft/{NAME}"
    target = site.host.ssh(f"readlink -f {certificate}")
    make = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2"
    files = f"-keyout {target}/privkey.pem -out {target}/fullchain.pem"
    site.host.ssh(
        f"cp -a {target} /root/kept; {make} -subj /CN=x {files}; nginx -s reload; sleep 1"
    )
    try:
        done = site.run("release", "staging", "--dry")
    finally:
        site.host.ssh(f"cp -a /root/kept/. {target}/; rm -r /root/kept; nginx -s reload; sleep 1")
    assert done.code == 1
    assert "the certificate of staging.askpro.test ends on" in done.output, done.output
    assert site.run("release", "staging", "--dry").code == 0


# --- What would happen ---

TREE = (
    f"find /etc /run/stagecraft* /var/lib/stagecraft /var/log/stagecraft {HOME}"
    f" -path {HOME}/shared/storage -prune -o -printf '%p %i %M %u %s %T@ %C@\\n' | sort"
)


def test_what_would_happen_is_told_and_nothing_changes(site: Releasing) -> None:
    first = site.app.commit("Before it")
    site.release()
    subjects = [f"Subject {number}" for number in range(3)]
    for subject in subjects:
        site.app.commit(subject)
    before = site.host.ssh(TREE)
    forth = site.run("release", "staging", "--dry")
    back = site.run("rollback", "staging", "--dry")
    assert site.host.ssh(TREE) == before
    assert forth.code == 0, forth.output
    assert "Commits that come: 3" in forth.output
    assert all(subject in forth.output for subject in subjects)
    assert "  build\n    $ php artisan route:cache" in forth.output
    assert "  after_switch\n    $ [ ! -e hooks/after_switch ]" in forth.output
    gone = forth.output.partition("Removed afterwards:")[2].split()
    assert back.code == 0, back.output
    assert "Commits that come: none\nthat go: 1\n" in back.output and first[:7] in back.output
    kept = site.releases
    site.release()
    assert [release for release in kept if release not in site.releases] == gone


# --- Hooks ---


def hooks(**scripts: str) -> dict[str, str | None]:
    return {f"hooks/{place}": f"{script}\n" for place, script in scripts.items()}


def test_a_hook_is_the_site_s_user_in_its_release(site: Releasing) -> None:
    """Before the hand-over it may change the release, and after the switch what the app may."""
    storage = f"{HOME}/shared/storage/app"
    tries = (
        "for path in artisan public/x storage/app/hook /etc/x; do"
        " ! touch $path 2>/dev/null || echo WROTE $path; done; id -un"
    )
    scripts = hooks(
        after_unpack=tries,
        before_migrate=tries,
        after_switch="! ls storage/app/hook 2>&-",
        after_finish=f"{tries}; env; cat",
    )
    public = {"public/a b.txt": "1", "public/robots.txt": f"{time.time()}"}
    site.host.ssh(f"rm -f {storage}/hook")
    commit = site.app.branch("hooks", {**scripts, **public})
    said = site.release("hooks")

    def of(place: str) -> list[str]:
        lines = said.partition(f"==> {place}\n")[2].partition("==>")[0].splitlines()
        return [line.strip() for line in lines[1:]]

    stored = "WROTE storage/app/hook"
    assert of("after_unpack") == ["WROTE artisan", "WROTE public/x", stored, NAME]
    assert of("before_migrate") == [stored, NAME]
    assert site.host.ssh(f"stat -c %U {storage}/hook") == NAME
    last = of("after_finish")
    assert last[:2] == [stored, NAME]
    assert f"STAGECRAFT_RELEASE={site.releases[-1]}" in last and "STAGECRAFT_ACTION=release" in last
    paths = [line for line in last if line.startswith("/")]
    assert paths == ["/a%20b.txt", "/robots.txt", "/x"]
    assert site.serving == commit
    site.host.ssh(f"rm {storage}/hook")


@pytest.mark.parametrize("place", ["before_switch", "after_health"])
def test_a_hook_that_fails_brings_the_old_release_back(site: Releasing, place: str) -> None:
    before = site.serving
    site.app.branch("fails", hooks(**{place: "echo because; exit 3"}))
    done = site.run("release", "staging", "fails")
    assert done.code == 1 and f"Failed at {place}: the hook `" in done.output, done.output
    assert "    because\n" in done.output
    assert site.serving == before


def test_a_hook_that_fails_after_the_last_step_or_in_a_rollback_is_noted(site: Releasing) -> None:
    site.app.branch("back", hooks(before_switch="test $STAGECRAFT_ACTION = release"))
    site.release("back")
    back = site.serving
    site.app.branch("noted", hooks(after_finish="exit 3"))
    site.release("noted")
    assert "after_finish: the hook `" in site.journal[-1]["notes"][0]
    done = site.run("rollback", "staging")
    assert done.code == 0, done.output
    assert site.serving == back
    assert "before_switch: the hook `" in site.journal[-1]["notes"][0]


# --- Keeping visitors out ---

MIGRATION = "database/migrations/2026_11_30_00000{}_slow.php"


def migrating(number: int, *, seconds: int, fails: bool = False) -> dict[str, str | None]:
    up = f"sleep({seconds}); DB::statement('drop table if exists `none`');"
    up += "throw new Exception('no');" if fails else ""
    return {
        MIGRATION.format(number): "<?php\nuse Illuminate\\Database\\Migrations\\Migration;\n"
        "use Illuminate\\Support\\Facades\\DB;\n"
        f"return new class extends Migration {{ public function up() {{ {up} }} }};\n"
    }


def active(site: Releasing) -> str:
    return site.host.ssh(f"systemctl is-active {QUEUE} || true")


def is_open(site: Releasing) -> bool:
    return site.host.web.get(f"{SITE}/", login=site.host.qa).status == 200


def test_visitors_are_kept_out_while_it_migrates_but_for_those_with_the_link(
    site: Releasing,
) -> None:
    site.release()
    secrets = "ps axww -o args; cat /var/log/stagecraft/askpro-staging/* /var/log/nginx/*.log"
    site.app.branch("closed", migrating(1, seconds=6))
    process = site.start("release", "staging", "closed", "--maintenance", "--contract")
    site.reaches(process, "migrate")
    web = site.host.web
    visitor = web.get(f"{SITE}/api/version")
    health = web.get(f"{SITE}/health")
    seen = site.host.ssh(secrets)
    (directory,) = {site.host.ssh(f"ls {CLOSED}")}
    (secret,) = set(directory.split()) - {"closed"}
    link = web.get(f"{SITE}/.well-known/stagecraft/{secret}")
    wrong = web.get(f"{SITE}/.well-known/stagecraft/{secret[:-1]}x")
    named = web.get(f"{SITE}/.well-known/stagecraft/closed")
    cookie = link.headers["Set-Cookie"].partition(";")[0]
    admitted = web.get(f"{SITE}/api/version", headers={"Cookie": cookie})
    others = [
        web.get(f"{SITE}/api/version", headers={"Cookie": f"stagecraft_maintenance={value}"})
        for value in ("closed", "../askpro-staging/closed", "", "0" * 32)
    ]
    worker = active(site)
    nobody = site.host.succeeds(f"setpriv --reuid {NAME} --regid {NAME} --clear-groups ls {CLOSED}")
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 0, output
    assert (visitor.status, visitor.headers["Retry-After"]) == (503, "30")
    assert "We are updating this site" in visitor.text
    assert health.status == 200
    assert (link.status, link.headers["Location"]) == (302, f"{SITE}/")
    assert (wrong.status, named.status) == (404, 404)
    assert admitted.status == 200
    assert {answer.status for answer in others} == {503}
    assert worker == "inactive" and not nobody
    assert is_open(site) and active(site) in ("active", "activating")
    assert re.search(r"visitors were kept out for \d+\.\d s", output)
    assert site.journal[-1]["downtime"] >= 6
    assert secret not in seen + site.host.ssh(secrets)
    assert web.get(f"{SITE}/.well-known/stagecraft/{secret}").status == 404


def test_a_site_is_open_again_after_a_failure(site: Releasing) -> None:
    before = site.serving
    site.app.branch("no", migrating(2, seconds=0, fails=True))
    done = site.run("release", "staging", "no", "--maintenance", "--contract")
    assert done.code == 1 and "Failed at migrate" in done.output
    assert "visitors were kept out for" in done.output
    link = rf"this admits you: {SITE}/\.well-known/stagecraft/[0-9a-f]{{32}}\n"
    assert re.search(link, done.output), "it is shown to the one who releases"
    assert is_open(site) and site.serving == before


KILLS = {
    "kill": "kill -9 $(systemctl show --property=MainPID --value {0})",
    "two kills": "kill -9 $(systemctl show --property=MainPID --value {0}); for n in $(seq 300); do"
    " pid=$(systemctl show --property=ControlPID --value {0}); [ $pid = 0 ] || break; sleep 0.01;"
    " done; kill -9 $pid",
}
"""The second one is of the recovery."""


def test_a_migration_that_hangs_keeps_visitors_out_for_no_longer_than_the_site_allows(
    site: Releasing,
) -> None:
    before = site.serving
    site.app.branch("hangs", migrating(6, seconds=600))
    done = site.run("release", "staging", "hangs", "--maintenance", "--contract")
    assert done.code == 1
    assert "Failed at migrate: visitors were kept out for 25 s" in done.output, done.output
    assert is_open(site) and site.serving == before
    assert active(site) in ("active", "activating")


@pytest.mark.parametrize("end", [*KILLS, "power"])
def test_a_site_is_open_again_after_a_kill_and_a_power_cut(site: Releasing, end: str) -> None:
    before, count = site.serving, len(site.journal)
    site.app.branch("slow", migrating(3 + [*KILLS, "power"].index(end), seconds=20))
    process = site.start("release", "staging", "slow", "--maintenance", "--contract")
    site.reaches(process, "migrate")
    time.sleep(1)
    assert not is_open(site)
    if end in KILLS:
        site.host.ssh(KILLS[end].format(f"stagecraft-action-{NAME}.service"))
    else:
        site.host.cut_power()
        process.kill()
    process.communicate()
    for _ in range(300):
        if len(site.journal) > count:
            break
        time.sleep(0.1)
    assert site.journal[-1]["outcome"] == "killed"
    assert is_open(site) and site.serving == before
    assert active(site) in ("active", "activating")


# --- Assets ---


def test_a_page_of_the_release_before_finds_its_assets(site: Releasing) -> None:
    def assets(number: int) -> dict[str, str | None]:
        directory = "public/build/assets"
        return {
            f"{directory}/app-{number}.js": f"release {number}",
            f"{directory}/index.es-{number}.js": f"release {number}",
            f"{directory}/a-{number}.php": "<?php echo 'no';",
            f"{directory}/.secret-{number}": "no",
            f"public/other-{number}.js": "no",
        }

    def answer(path: str) -> tuple[int, str]:
        got = site.host.web.get(f"{SITE}{path}", login=site.host.qa)
        return got.status, got.text

    for number in (1, 2):
        site.app.branch(f"assets-{number}", assets(number))
    site.app.branch("assets-bad", {**assets(3), **hooks(after_health="exit 1")})
    site.release("assets-1")
    address, name = site.host.server.address, "staging.askpro.test"
    with visited(address, name, "/build/assets/app-1.js", login=site.host.qa) as answers:
        site.release("assets-2")
        assert site.run("release", "staging", "assets-bad").code == 1
        assert site.run("rollback", "staging").code == 0
    assert answers["failed"] == [] and answers["count"] > 100
    assert list(answers["bodies"]) == ["release 1"]
    for path in ("app-2.js", "index.es-2.js"):
        assert answer(f"/build/assets/{path}") == (200, "release 2")
    for path in ("a-2.php", ".secret-2", "app-3.js", "../../other-2.js", "../../other-3.js"):
        assert answer(f"/build/assets/{path}")[0] in (400, 404), path
    assert site.host.ssh(f"find {HOME}/assets/ ! -user root -o -type l") == ""
