"""What is no longer declared goes; what others declare, and data, stay."""

from __future__ import annotations

import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from stagecraft.errors import BrokenOverride, ServerError
from stagecraft.facts.manifests import ManifestsFact
from stagecraft.manifest import Manifest, Records, parse_manifests
from stagecraft.operations import manifest as operation
from stagecraft.operations.nodes import Absent, Directory, File, Link, Node, RemoveIfEmpty
from stagecraft.paths import MANIFESTS
from stagecraft.run import Run
from stagecraft.seen import State
from stagecraft.version import OURS, refuse_newer

VHOST = File(
    "/etc/nginx/sites-available/shop.conf", "server {}\n", origin="templates/nginx/site.conf.j2"
)


def recorded(*nodes: Node, tree: str = "nginx", site: str = "") -> Records:
    run = Manifest("x")
    run.declare(tree, nodes, site)
    return read(run.text(Records()))


def read(text: str) -> Records:
    return parse_manifests(["== x", *text.splitlines()])["x"]


def test_no_manifest_passes_for_another_one(tmp_path: Path) -> None:
    ours = recorded(VHOST).text
    (tmp_path / "production").write_text(ours)
    (tmp_path / "a").write_text("cut off")
    (tmp_path / "n\n\tz").write_text("x")
    (tmp_path / "other").write_text("== production\n" + ours)
    command = ManifestsFact().command().replace(MANIFESTS, str(tmp_path))
    output = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True)
    found = parse_manifests(output.stdout.splitlines())
    assert {name: len(records.paths) for name, records in found.items()} == {
        "a": 0,
        "other": 1,
        "production": 1,
    }


DIRECTORY = Directory("/etc/nginx/conf", acl=("user:www-data:--x", "group:a:r-x"))
LINK = Link("/etc/nginx/sites-enabled/shop.conf", "../sites-available/shop.conf")
CURRENT = Link("/var/www/shop/current", "releases/placeholder", initial=True)


def test_a_manifest_is_read_as_it_was_written() -> None:
    records = recorded(DIRECTORY, VHOST, LINK, CURRENT, Absent("/etc/x"), RemoveIfEmpty("/etc/y"))
    assert records.text.splitlines()[:2] == [
        f'{{"version": "{OURS}"}}',
        '{"site": "", "tree": "nginx", "kind": "directory", "path": "/etc/nginx/conf",'
        ' "user": "root", "group": "root", "mode": "755",'
        ' "value": "group:a:r-x,user:www-data:--x"}',
    ]
    assert [(record.path, record.state) for record in records.paths] == [
        (DIRECTORY.path, ("directory", "root", "root", "755", "group:a:r-x,user:www-data:--x")),
        (VHOST.path, ("file", "root", "root", "644", VHOST.sha256)),
        (LINK.path, ("link", "-", "-", "-", LINK.target)),
        (CURRENT.path, ("link", "-", "-", "-", "-")),  # where it leads, the app decides
    ]


def test_a_manifest_of_the_first_format_says_the_same() -> None:
    old = f"""packages\tpackage\tnginx
databases\tdatabase\tshop
nginx-shop-staging\tdirectory\t/etc/nginx/conf\troot\troot\t755\tuser:www-data:--x,group:a:r-x
nginx-shop-staging\tfile\t{VHOST.path}\troot\troot\t644\t{VHOST.sha256}
nginx-shop-staging\tlink\t{LINK.path}\t-\t-\t-\t{LINK.target}
declared\tstate\tservice nginx.service\truns, starts at boot
declared\tstate\tsecrets shop-staging\tsettings a, values b
"""
    records = read(old)
    run = Manifest("staging")
    run.declare("nginx-shop-staging", [DIRECTORY, VHOST, LINK], "shop-staging")
    assert records.paths == read(run.text(records)).paths
    assert (records.packages, records.databases) == ({"nginx"}, {"shop"})
    assert records.states == {
        "service nginx.service": "runs, starts at boot",
        "secrets shop-staging": {"settings": "a", "values": "b"},
    }
    assert records.text == old


def test_what_is_no_longer_declared_goes_contents_first() -> None:
    directory = Directory("/etc/nginx/shop")
    inside = File("/etc/nginx/shop/x", "")
    manifest = Manifest("staging", {"staging": recorded(directory, inside, VHOST)})
    assert manifest.declare("nginx", [VHOST]) == [
        Absent(inside.path),
        RemoveIfEmpty(directory.path),
    ]


def test_another_tree_s_paths_are_its_own_affair() -> None:
    manifest = Manifest("staging", {"staging": recorded(VHOST, tree="nginx-shop")})
    assert manifest.declare("nginx", []) == []


def test_the_logins_of_a_removed_site_are_those_that_no_other_site_has() -> None:
    blog, shop = (File(f"/etc/stagecraft/database/{user}.cnf", "") for user in ("blog", "shop"))
    directory = Directory("/etc/stagecraft/database")
    old = recorded(directory, blog, shop, tree="database-blog-staging", site="blog-staging")
    manifest = Manifest("staging", {"staging": old})
    manifest.declare("database-shop-staging", [directory, shop])
    assert manifest.logins_of("blog-staging") == ["blog"]
    moved = Manifest("staging", {"staging": old, "production": recorded(blog)})
    assert moved.logins_of("blog-staging") == ["shop"]


def test_what_another_environment_declares_stays() -> None:
    records = {"staging": recorded(VHOST), "production": recorded(VHOST)}
    assert Manifest("staging", records).declare("nginx", []) == []
    assert Manifest("production", {"staging": recorded(VHOST)}).declare("nginx", []) == []


@pytest.mark.parametrize(
    "path",
    [
        "/var/www/shop/shared/.env",
        "/etc/stagecraft/database/shop.cnf",
        "/var/log/php-fpm-shop/slow.log",
    ],
)
def test_data_and_what_opens_it_stay(path: str) -> None:
    manifest = Manifest("staging", {"staging": recorded(File(path, ""))})
    assert manifest.declare("nginx", []) == []


def test_only_what_is_new_is_recorded_ahead() -> None:
    new = File("/etc/nginx/conf.d/new.conf", "")
    manifest = Manifest("staging", {"staging": recorded(VHOST)})
    ahead = read(manifest.ahead("nginx", [VHOST, new, Absent("/x")]))
    assert ahead.paths == recorded(new).paths


@pytest.mark.parametrize(
    "line",
    [
        "nginx\tfile\t/etc",
        "packages\tpackage",
        '{"site": "", "tree": "nginx", "kind": "file", "pa',
        '{"site": "", "tree": "nginx", "kind": "file", "path": "/etc/x"}',
        '{"package": ["nginx"]}',
        "[]",
        "7",
    ],
)
def test_half_a_line_is_no_record(line: str) -> None:
    assert read(f"{line}\n\n") == Records()


def test_a_database_stays_recorded_until_it_is_dropped() -> None:
    records = Records(databases={"old"})
    manifest = Manifest("staging", {"staging": records})
    manifest.databases.add("new")
    assert manifest.made("old")
    assert not manifest.made("new")
    assert read(manifest.text(records)).databases == {"new", "old"}
    manifest.dropped.add("old")
    assert read(manifest.text(records)).databases == {"new"}


def test_what_another_environment_still_has_is_known() -> None:
    manifest = Manifest("staging", {"production": recorded(VHOST)})
    assert manifest.owner(VHOST.path) == "production"
    assert manifest.owner("/etc/else") == ""


def test_a_manifest_of_which_a_part_arrived_is_not_written(tmp_path: Path, shell: Any) -> None:
    target = tmp_path / "staging"
    target.write_text("old\n")
    command = operation.written(str(target), "one\ntwo\n").get_raw_value()
    assert shell(command, stdin="one\n").returncode != 0
    assert target.read_text() == "old\n"
    assert shell(command, stdin="one\ntwo\n").returncode == 0
    assert target.read_text() == "one\ntwo\n"
    assert [path.name for path in tmp_path.iterdir() if path.name == ".staging"] == []


def test_a_site_is_removed_when_nobody_declares_it() -> None:
    run = Manifest("staging")
    for name in ("a", "b"):
        run.declare(f"app-{name}", [Directory(f"/var/www/{name}")], name)
    manifest = Manifest("staging", {"staging": read(run.text(Records()))})
    manifest.declare("app-a", [Directory("/var/www/a")], "a")
    assert manifest.removed_sites() == ["b"]
    manifest.declare("app-b", [], "b")
    assert manifest.removed_sites() == ["b"]


def test_no_two_trees_of_a_run_have_one_name() -> None:
    manifest = Manifest("staging")
    manifest.declare("own-cron", [VHOST])
    with pytest.raises(BrokenOverride, match="a tree own-cron already"):
        manifest.declare("own-cron", [])


def test_what_goes_of_a_site_its_records_say() -> None:
    """Also of what nobody knew when the removal was written, and where the site itself stays."""
    units = "/etc/systemd/system"
    trees = {
        "app": ["/var/www/a/shared"],
        "reach": ["/etc/stagecraft/reach/a.nft", f"{units}/stagecraft-reach@a.service"],
        "redis": [f"{units}/redis-server@a.service.d/stagecraft.conf"],
        "cron": ["/etc/cron.d/a"],
        "php-fpm": [f"{units}/php-fpm@a.service", f"{units}/php-fpm@a.socket"],
        "nginx": ["/etc/nginx/sites-available/a.conf"],
    }
    run = Manifest("staging")
    for tree, paths in trees.items():
        run.declare(f"{tree}-a", [File(path, "") for path in paths], "a")
    manifest = Manifest("staging", {"staging": read(run.text(Records()))})
    manifest.declare("nginx-a", [], "a")
    assert manifest.left_trees("a") == ["php-fpm", "cron", "redis", "reach"]
    assert manifest.left_units("a") == [
        "php-fpm@a.socket",
        "php-fpm@a.service",
        "redis-server@a.service",
        "stagecraft-reach@a.service",
    ]
    manifest.declare("php-fpm-a", [File(path, "") for path in trees["php-fpm"]], "a")
    manifest.declare("reach-a", [File(path, "") for path in trees["reach"]], "a")
    assert manifest.removed_sites() == []
    assert manifest.left_trees("a") == ["cron", "redis"]
    assert manifest.left_units("a") == ["redis-server@a.service"]


def test_packages_stay_recorded_and_are_ours_for_every_environment() -> None:
    records = Records(packages={"mariadb-server"})
    manifest = Manifest("staging", {"production": records})
    assert manifest.installed("mariadb-server")
    assert not manifest.installed("nginx")
    assert read(manifest.text(records)).packages == {"mariadb-server"}


def test_after_a_run_that_declares_a_part_the_rest_stays_recorded() -> None:
    run = Manifest("staging", databases={"shop"})
    run.declare("nginx", [VHOST])
    run.declare("sudo", [File("/etc/sudoers.d/old", "")])
    before = [State("service", "nginx.service", "runs", ""), State("account", "anna", "old", ""),
              State("account", "bob", "old", "")]  # fmt: skip
    records = read(run.text(Records(packages={"sudo"}), before))
    manifest = Manifest("staging", {"staging": records}, whole=False)
    new = File("/etc/sudoers.d/stagecraft", "")
    manifest.declare("sudo", [new])
    states = [State("account", "anna", "new", ""), State("account", "bob", "", "")]
    after = read(manifest.text(records, states))
    assert {record.path for record in after.paths} == {VHOST.path, new.path}
    assert (after.packages, after.databases) == ({"sudo"}, {"shop"})
    assert after.states == {"service nginx.service": "runs", "account anna": "new"}


def test_a_run_that_declares_a_part_takes_nothing_for_removed() -> None:
    run = Manifest("staging")
    run.declare("nginx-a", [File("/etc/systemd/system/a.service", "")], "a")
    run.declare("own-cron", [File("/etc/cron.d/a", "")])
    records = {"staging": read(run.text(Records()))}
    whole, part = Manifest("staging", records), Manifest("staging", records, whole=False)
    assert (whole.removed_sites(), whole.removed_steps()) == (["a"], ["own-cron"])
    assert (whole.left_trees("a"), whole.left_units("a")) == (["nginx"], ["a.service"])
    assert part.removed_sites() == part.removed_steps() == []
    assert part.left_trees("a") == part.left_units("a") == []


# --- The end of a run ---


@pytest.fixture
def record(monkeypatch: pytest.MonkeyPatch, this_run: Run) -> Any:
    """What the operation yields where these records are there and these operations failed."""

    def run(records: Records, *failures: str) -> list[Any]:
        this_run.manifest = Manifest("staging", {"staging": records})
        this_run.manifest.declare("nginx", [VHOST])
        host = SimpleNamespace(get_fact=lambda _: {"staging": records})
        monkeypatch.setattr(operation, "host", host)
        monkeypatch.setattr(operation, "state", SimpleNamespace(is_executing=True))
        monkeypatch.setattr(operation, "failed", lambda: list(failures))
        return list(operation.recorded._inner(secrets={}))

    return run


def test_a_manifest_that_says_so_is_left_alone(record: Any) -> None:
    assert record(recorded(VHOST)) == []


def test_a_manifest_is_written_at_the_end(record: Any) -> None:
    (command,) = record(Records())
    assert command.connector_arguments["_stdin"] == recorded(VHOST).text
    assert "umask 077" in command.get_raw_value()


def test_a_run_that_failed_somewhere_is_not_recorded_and_fails(record: Any) -> None:
    (command,) = record(Records(), "Redis | Run Redis of shop-staging")
    assert command.function is operation.say_failed
    assert command.function(None, SimpleNamespace(print_prefix=""), *command.args) is False


# --- Versions -------------------------------------------------------------------------------------


@pytest.mark.parametrize("noted", ["", "0.0.9", OURS])
def test_a_run_of_a_newer_version_than_the_last_one_is_one(noted: str) -> None:
    refuse_newer({"staging": "", "production": noted}, "one")


@pytest.mark.parametrize("noted", ["99.0.0", "0.2000.0"])
def test_a_run_of_an_older_version_than_the_last_one_is_refused(noted: str) -> None:
    with pytest.raises(ServerError, match=f"^one: Stagecraft {noted} has run here, for prod"):
        refuse_newer({"staging": "", "production": noted}, "one")


def test_the_version_is_noted() -> None:
    assert recorded(VHOST).version == OURS
    assert read("").version == ""
