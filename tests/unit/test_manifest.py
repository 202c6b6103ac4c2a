"""What is no longer declared goes; what others declare, and data, stay."""

from __future__ import annotations

import subprocess
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from stagecraft.errors import ServerError
from stagecraft.facts.manifests import Manifests, Record, parse_manifests
from stagecraft.manifest import Manifest, lines
from stagecraft.operations import manifest as operation
from stagecraft.operations.nodes import Absent, Directory, File, Link, Node, Vacant
from stagecraft.paths import MANIFESTS
from stagecraft.seen import State
from stagecraft.version import noted_version, refuse_newer

VHOST = File(
    "/etc/nginx/sites-available/shop.conf", "server {}\n", origin="templates/nginx/site.conf.j2"
)


def recorded(*nodes: Node, tree: str = "nginx") -> list[Record]:
    return parse_manifests(["== x", *lines(tree, nodes).splitlines()])["x"]


def test_no_manifest_passes_for_another_one(tmp_path: Path) -> None:
    ours = lines("nginx", [VHOST])
    (tmp_path / "production").write_text(ours)
    (tmp_path / "a").write_text("cut off")
    (tmp_path / "n\n\tz").write_text("x")
    (tmp_path / "other").write_text("== production\n" + ours)
    command = Manifests().command().replace(MANIFESTS, str(tmp_path))
    output = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True)
    found = parse_manifests(output.stdout.splitlines())
    assert {name: len(records) for name, records in found.items()} == {
        "a": 0,
        "other": 1,
        "production": 1,
    }


def test_a_manifest_is_read_as_it_was_written() -> None:
    directory = Directory("/etc/nginx/conf", acl=("user:www-data:--x",))
    link = Link("/etc/nginx/sites-enabled/shop.conf", "../sites-available/shop.conf")
    text = lines("nginx", [directory, VHOST, link])
    assert text.splitlines() == [
        "nginx\tdirectory\t/etc/nginx/conf\troot\troot\t755\tuser:www-data:--x",
        f"nginx\tfile\t{VHOST.path}\troot\troot\t644\t{VHOST.sha256}",
        f"nginx\tlink\t{link.path}\t-\t-\t-\t{link.target}",
    ]
    records = parse_manifests(["== staging", *text.splitlines(), "== production"])
    assert [record.path for record in records["staging"]] == [directory.path, VHOST.path, link.path]
    assert [record.text for record in records["staging"]] == text.splitlines()
    assert records["production"] == []


def test_where_the_app_decides_nothing_is_recorded_of_it() -> None:
    current = Link("/var/www/shop/current", "releases/placeholder", initial=True)
    assert lines("app", [current]).endswith("\t-\n")
    assert lines("app", [Absent("/etc/x"), Vacant("/etc/y")]) == ""


def test_what_is_no_longer_declared_goes_contents_first() -> None:
    directory = Directory("/etc/nginx/shop")
    inside = File("/etc/nginx/shop/x", "")
    manifest = Manifest("staging", {"staging": recorded(directory, inside, VHOST)})
    assert manifest.declare("nginx", [VHOST]) == [Absent(inside.path), Vacant(directory.path)]


def test_another_tree_s_paths_are_its_own_affair() -> None:
    manifest = Manifest("staging", {"staging": recorded(VHOST, tree="nginx-shop")})
    assert manifest.declare("nginx", []) == []


def test_the_logins_of_a_removed_site_are_those_that_no_other_site_has() -> None:
    blog, shop = (File(f"/etc/stagecraft/database/{user}.cnf", "") for user in ("blog", "shop"))
    directory = Directory("/etc/stagecraft/database")
    old = recorded(directory, blog, shop, tree="database-blog-staging")
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
    assert manifest.ahead("nginx", [VHOST, new, Absent("/x")]) == lines("nginx", [new])


@pytest.mark.parametrize("stump", ["nginx\tfile\t/etc", "packages\tpackage", "nginx\tfile"])
def test_half_a_line_is_no_record(stump: str) -> None:
    assert parse_manifests(["== staging", stump, ""])["staging"] == []


def test_a_database_stays_recorded_until_it_is_dropped() -> None:
    (record,) = parse_manifests(["== x", "databases\tdatabase\told"])["x"]
    manifest = Manifest("staging", {"staging": [record]})
    manifest.databases.add("new")
    assert manifest.made("old")
    assert not manifest.made("new")
    assert manifest.text([record]) == "databases\tdatabase\tnew\ndatabases\tdatabase\told\n"
    manifest.dropped.add("old")
    assert manifest.text([record]) == "databases\tdatabase\tnew\n"


def test_what_another_environment_still_has_is_known() -> None:
    manifest = Manifest("staging", {"production": recorded(VHOST)})
    assert manifest.owner(VHOST.path) == "production"
    assert manifest.owner("/etc/else") == ""


def test_a_manifest_of_which_a_part_arrived_is_not_written(tmp_path: Path, shell: Any) -> None:
    target = tmp_path / "staging"
    target.write_text("old\n")
    command = operation.written(str(target), "one\ntwo\n")
    assert shell(command, stdin="one\n").returncode != 0
    assert target.read_text() == "old\n"
    assert shell(command, stdin="one\ntwo\n").returncode == 0
    assert target.read_text() == "one\ntwo\n"
    assert [path.name for path in tmp_path.iterdir() if path.name == ".staging"] == []


def test_a_site_is_removed_when_nobody_declares_it() -> None:
    home = [recorded(Directory(f"/var/www/{name}"), tree=f"app-{name}") for name in ("a", "b")]
    manifest = Manifest("staging", {"staging": [*home[0], *home[1]]})
    manifest.declare("app-a", [Directory("/var/www/a")])
    assert manifest.removed_sites() == ["b"]


def test_packages_stay_recorded_and_are_ours_for_every_environment() -> None:
    (package,) = parse_manifests(["== x", "packages\tpackage\tmariadb-server"])["x"]
    manifest = Manifest("staging", {"production": [package]})
    assert manifest.installed("mariadb-server")
    assert not manifest.installed("nginx")
    manifest.declare("nginx", [VHOST])
    assert manifest.text([package]) == f"{package.text}\n{lines('nginx', [VHOST])}"
    assert manifest.declare("packages", []) == []


def test_after_a_run_that_declares_a_part_the_rest_stays_recorded() -> None:
    text = [
        lines("nginx", [VHOST]).strip(),
        lines("sudo", [File("/etc/sudoers.d/old", "")]).strip(),
        "packages\tpackage\tsudo",
        "databases\tdatabase\tshop",
        "declared\tstate\tservice nginx.service\truns",
        "declared\tstate\taccount anna\tmay log in",
        "declared\tstate\taccount bob\tmay log in",
    ]
    records = parse_manifests(["== staging", *text])["staging"]
    manifest = Manifest("staging", {"staging": records})
    new = File("/etc/sudoers.d/stagecraft", "")
    manifest.declare("sudo", [new])
    states = [State("account", "anna", "may become root", ""), State("account", "bob", "", "")]
    after = manifest.text_of_a_part(records, states).splitlines()
    assert sorted(after) == sorted(
        [
            text[0],
            lines("sudo", [new]).strip(),
            *text[2:5],
            "declared\tstate\taccount anna\tmay become root",
        ]
    )


# --- The end of a run ---


@pytest.fixture
def record(monkeypatch: pytest.MonkeyPatch) -> Any:
    """What the operation yields where these records are there and these operations failed."""

    def run(records: list[Record], *failures: str) -> list[Any]:
        manifest = Manifest("staging", {"staging": records})
        manifest.declare("nginx", [VHOST])
        host = SimpleNamespace(get_fact=lambda _: {"staging": records})
        monkeypatch.setattr(operation, "host", host)
        monkeypatch.setattr(operation, "state", SimpleNamespace(is_executing=True))
        monkeypatch.setattr(operation, "manifest", lambda: manifest)
        monkeypatch.setattr(operation, "failed", lambda: list(failures))
        return list(operation.recorded._inner(secrets={}))

    return run


def test_a_manifest_that_says_so_is_left_alone(record: Any) -> None:
    assert record(recorded(VHOST)) == []


def test_a_manifest_is_written_at_the_end(record: Any) -> None:
    (command,) = record([])
    assert command.connector_arguments["_stdin"] == lines("nginx", [VHOST])
    assert "umask 077" in command.get_raw_value()


def test_a_run_that_failed_somewhere_is_not_recorded_and_fails(record: Any) -> None:
    (command,) = record([], "Redis | Run Redis of shop-staging")
    assert command.function is operation.say_failed
    assert command.function(None, SimpleNamespace(print_prefix=""), *command.args) is False


# --- Versions -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("recorded", "refused"), [("0.0.9", False), ("99.0.0", True), ("0.2000.0", True), ("", False)]
)
def test_a_run_of_an_older_version_than_the_last_one_is_refused(
    recorded: str, refused: bool
) -> None:
    line = f"declared\tstate\tstagecraft version\t{recorded}"
    manifest = Manifest("staging", parse_manifests(["== staging", "== production", line]))
    if not refused:
        return refuse_newer(manifest, "one")
    with pytest.raises(ServerError, match=f"^one: Stagecraft {recorded} has run here, for prod"):
        refuse_newer(manifest, "one")
    return None


def test_the_version_is_noted() -> None:
    text = Manifest("staging").text([], [noted_version()])
    assert text == f"declared\tstate\tstagecraft version\t{version('stagecraft')}\n"
