"""The plan as findings: causes without what follows from them, and in words."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace

import pytest

from stagecraft.drift.findings import Cause, Finding, Severity
from stagecraft.drift.judging import managed
from stagecraft.drift.judging.managed import (
    explained,
    found,
    owner,
    read_differing,
    readable,
    replacement,
    severity,
    wanted,
)
from stagecraft.drift.looking import plan as planning
from stagecraft.drift.looking.plan import Step
from stagecraft.drift.looking.server import Declared
from stagecraft.errors import ServerError
from stagecraft.facts.files import Entry, becoming
from stagecraft.facts.machine import Machine
from stagecraft.manifest import Manifest, Records, path_record
from stagecraft.operations import files
from stagecraft.operations.diff import describe, lines_by_key, sum_of
from stagecraft.operations.nodes import Absent, Directory, File, Link, Node, RemoveIfEmpty, Sealed
from stagecraft.operations.services import RUNNING, Condition
from stagecraft.run import Run
from stagecraft.secrets.read import STAND_IN
from stagecraft.seen import Place, Seen, State, Value
from stagecraft.settings import Environment, Site

FILE = File("/etc/nginx/shop.conf", "x", origin="templates/nginx/site.conf.j2")
EDITED = Place("nginx", FILE, Entry("file", "644", "root", "root", "0"), "root")
RUN = "pyinfra inventories/production.py deploy.py"


INACTIVE = Condition("inactive", at_boot=True)


def stopped(unit: str, was: Value = INACTIVE) -> State:
    return State("service", unit, RUNNING, was)


def step(*seen: Seen) -> Step:
    return Step("nginx | Run nginx: start, it is inactive", list(seen))


def things(*steps: Step) -> list[tuple[str, str]]:
    return [(seen.kind, seen.thing) for seen in explained(steps)]


# --- Causes, not consequences ---


def test_a_link_in_a_directory_s_place_has_a_remedy_that_a_run_is_not() -> None:
    """A run refuses; the site's own user can make it where it may write, and so unmakes it."""
    logs = Directory("/home/logs", "shop", "shop", "750", ("user:www-data:r-x",))
    link = Entry("link", "777", "shop", "shop", target="/tmp")
    made = "rm /home/logs && install -d -o shop -g shop -m 750 /home/logs"
    made += " && setfacl -m user:www-data:r-x /home/logs"
    assert replacement(Place("storage", logs, link, "shop"), RUN) == (
        f"{shlex.join(becoming('shop'))} sh -c '{made}'"
    )
    changed = Entry("directory", "777", "shop", "shop")
    assert replacement(Place("app", logs, changed, "root"), RUN) == ""
    assert replacement(EDITED, RUN) == ""


@pytest.mark.parametrize(
    ("node", "kind"),
    [
        (FILE, "directory"),
        (Link(FILE.path, "/x"), "directory"),
        (Absent(FILE.path), "directory"),
        (Directory(FILE.path), "file"),
        (Directory(FILE.path), "fifo"),
    ],
)
def test_what_a_run_would_refuse_to_replace_is_kept(node: Node, kind: str) -> None:
    place = Place("nginx", node, Entry(kind, "755", "root", "root"), "root")
    assert (
        replacement(place, RUN) == f'mv {FILE.path} "$(mktemp -d /root/found.XXXXXX)", then {RUN}'
    )
    as_shop = replacement(replace(place, user="shop"), RUN)
    assert as_shop.startswith(f"{shlex.join(becoming('shop'))} sh -c 'mv ")
    assert f"$(mktemp -d {FILE.path}.found.XXXXXX)" in as_shop


def test_what_root_cannot_change_can_be_changed_before_the_run() -> None:
    place = Place("nginx", FILE, Entry("file", "644", "root", "root", attributes="ai"), "root")
    assert replacement(place, RUN) == f"chattr -ai {FILE.path}, then {RUN}"


@pytest.mark.parametrize(
    ("node", "kind"),
    [(FILE, "link"), (Absent(FILE.path), "file"), (RemoveIfEmpty("/x"), "directory")],
)
def test_what_a_run_replaces_needs_nothing_else(node: Node, kind: str) -> None:
    assert replacement(Place("nginx", node, Entry(kind, "755", "root", "root"), "root"), RUN) == ""


def test_a_reload_that_follows_from_a_file_is_no_difference() -> None:
    reload = step(State("service", "nginx.service", RUNNING, RUNNING))
    assert things(step(EDITED), reload, step()) == [("file", FILE.path)]


def test_of_a_server_that_is_down_nothing_else_is_told() -> None:
    answers = State("database server", "mariadb", "answers root", "", through="mariadb.service")
    assert things(step(stopped("mariadb.service")), step(answers)) == [
        ("service", "mariadb.service")
    ]
    assert things(step(answers)) == [("database server", "mariadb")]


def test_a_unit_that_is_not_there_has_lost_its_package_or_its_file() -> None:
    package = State("package", "nginx", "installed", "")
    unit = Place("php", File("/etc/systemd/system/php-fpm@a.service", ""), None, "root")
    assert things(step(package), step(stopped("nginx.service", ""))) == [("package", "nginx")]
    assert things(step(unit), step(stopped("php-fpm@a.service", ""))) == [(unit.kind, unit.thing)]
    assert things(step(stopped("nginx.service", ""))) == [("service", "nginx.service")]


def test_a_thing_is_told_once() -> None:
    link = State("link", "/etc/ssl/stagecraft/a", "/x", "/y")
    assert len(things(step(link), step(link))) == 1


# --- How bad, and whose ---


@pytest.fixture
def declared(
    make_site: Callable[..., Site],
    make_environment: Callable[..., Environment],
    make_machine: Callable[..., Machine],
) -> Declared:
    environment = make_environment(make_site())
    return Declared(environment, (environment,), {}, make_machine())


@pytest.fixture
def planned(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trees as the tasks declare them, the machine's and a site's."""
    run = Run(manifest=Manifest("staging"))
    for tree, site in (("nginx", ""), ("nginx-askpro-staging", "askpro-staging")):
        run.manifest.declare(tree, [], site)
    monkeypatch.setattr(managed, "this_run", lambda: run)


def in_tree(tree: str) -> Place:
    return Place(tree, FILE, None, "root")


@pytest.mark.parametrize(
    ("seen", "expected", "environment"),
    [
        (in_tree("access"), "critical", ""),
        (in_tree("sudo"), "critical", ""),
        (in_tree("nginx"), "high", ""),
        (in_tree("nginx-askpro-staging"), "high", "staging"),
        (stopped("nginx.service"), "critical", ""),
        (stopped("mariadb.service"), "critical", ""),
        (stopped("redis-server@askpro-staging.service"), "critical", "staging"),
        (stopped("nginx.service", Condition("active", at_boot=False)), "high", ""),
        (stopped("apt-daily.timer"), "high", ""),
        (State("account", "eve", "", "may log in"), "critical", ""),
        (State("firewall", "inet stagecraft", "in force", ""), "critical", ""),
        (State("database", "askpro_staging", "utf8mb4", "latin1"), "high", "staging"),
        (State("database", "askpro_staging", "utf8mb4", ""), "critical", "staging"),
        (State("database user", "askpro_staging@localhost", "a", "b"), "high", "staging"),
        (State("account", "redis-askpro-staging", "a", "b"), "critical", "staging"),
        (State("releases", "/var/www/askpro-staging/releases", "a", "b"), "high", "staging"),
        # A name that only contains a site's.
        (State("service", "backup-askpro-staging-2.timer", RUNNING, INACTIVE), "high", ""),
        (State("account", "askpro_staging", "a", "b"), "critical", "staging"),
        (State("account", "askpro-staging2", "a", "b"), "critical", ""),
    ],
)
@pytest.mark.usefixtures("planned")
def test_how_bad_it_is_and_whose(
    declared: Declared, seen: Seen, expected: str, environment: str
) -> None:
    assert severity(seen, declared, Cause.SERVER) == Severity(expected)
    assert owner(seen, declared.environment) == environment


@pytest.mark.parametrize(("tree", "expected"), [("nginx", "low"), ("sudo", "high")])
def test_that_the_files_moved_on_is_not_believed_of_a_way_in(
    declared: Declared, tree: str, expected: str
) -> None:
    """The record on the server says so, and whoever is root there may have written it."""
    assert severity(in_tree(tree), declared, Cause.FILES) == Severity(expected)


@pytest.mark.usefixtures("planned")
def test_a_step_that_tells_nothing_is_told_by_its_name(
    monkeypatch: pytest.MonkeyPatch, declared: Declared
) -> None:
    monkeypatch.setattr(managed, "plan", lambda: [Step("Monitoring | Have /etc/agent", None)])
    told, _ = managed.managed(declared)
    assert isinstance(told, Finding)
    assert (told.kind, told.thing) == ("operation", "Monitoring | Have /etc/agent")


# --- In words ---


@pytest.mark.parametrize(
    ("node", "entry", "declared", "there"),
    [
        (FILE, None, "a file of root:root, mode 644, from templates/nginx/site.conf.j2",
         "missing"),
        (File("/x", ""), Entry("file", "666", "eve", "root", "0"),
         "a file of root:root, mode 644", "different content, owner eve:root, mode 666"),
        (Directory("/x"), Entry("directory", "755", "root", "root", acl=frozenset(("user:e:rwx",))),
         "a directory of root:root, mode 755", "the ACL user:e:rwx"),
        (Directory("/x"), Entry("file", "644", "root", "root"),
         "a directory of root:root, mode 755", "a file of root:root, mode 644"),
        (Link("/x", "/a"), Entry("link", "777", "root", "root", target="/b"),
         "a link to /a", "a link to /b"),
        (Absent("/x"), Entry("file", "600", "eve", "eve"), "nothing",
         "a file of eve:eve, mode 600"),
        (RemoveIfEmpty("/x"), Entry("directory", "755", "eve", "eve"), "nothing",
         "a directory of eve:eve, mode 755"),
        (Sealed("/x", "", secret=True), None, "a file that no run has applied yet",
         "missing"),
    ],
)  # fmt: skip
def test_what_is_wrong_in_words(node: Node, entry: Entry | None, declared: str, there: str) -> None:
    assert (wanted(node), found(node, entry)) == (declared, there)


@pytest.mark.parametrize("kind", ["link", "directory"])
def test_what_is_no_file_is_not_read(kind: str) -> None:
    """A link may lead to a secret."""
    place = Place("nginx", FILE, Entry(kind, "777", "root", "root", "0", "/etc/shadow"), "root")
    assert read_differing([place]) == {}
    assert not readable(place)
    assert found(place.node, place.entry).startswith(f"a {kind} ")


# --- Files with secrets that nobody has opened ---

ENV = File("/shop/.env", f'APP_NAME=Shop\nDB_PASSWORD="{STAND_IN}"\n', secret=True)
APPLIED = File("/shop/.env", "APP_NAME=Shop\nDB_PASSWORD=hunter2\n", secret=True)


def sealed() -> File:
    records = Records([path_record("app", APPLIED)])
    (node,) = Manifest("staging", {"staging": records}).sealed([ENV])
    assert isinstance(node, Sealed)
    return node


def stands(text: str) -> Entry:
    return Entry("file", "644", "root", "root", File("/x", text).sha256)


def test_they_are_told_by_the_recorded_sum() -> None:
    assert sealed().matches(stands(APPLIED.content))
    assert not sealed().matches(stands(APPLIED.content.replace("Shop", "Mine")))
    assert not Sealed(**vars(ENV)).matches(stands(ENV.content))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("APP_NAME=Mine\nDB_PASSWORD=hunter2\n", [" APP_NAME differs (secret)"]),
        ("APP_NAME=Shop\nDB_PASSWORD=tr0ub4dor\n", [" one of DB_PASSWORD differs (secret)"]),
        ("APP_NAME=Shop\nDB_PASSWORD=hunter2\nMINE=1\n", ["-MINE (not shown)"]),
    ],
)
def test_their_difference_names_keys(text: str, told: list[str]) -> None:
    node = sealed()
    present = {key: sum_of(line) for key, line in lines_by_key(text).items()}
    described = list(describe(node, stands(text), {node.path: present}))
    assert described[1:] == told


def test_their_stand_ins_reach_no_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "host", SimpleNamespace(get_fact=lambda *_, **__: {}))
    monkeypatch.setattr(files, "state", SimpleNamespace(is_executing=True))
    monkeypatch.setattr(files, "this_run", Run)
    install = files.install._inner(  # type: ignore[attr-defined]
        tree="app",
        nodes=[sealed()],
        check=None,
        user="root",
        needs=(),
    )
    with pytest.raises(ValueError, match="never reach a server"):
        next(install)


def test_a_run_that_could_execute_the_plan_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    data = SimpleNamespace(only_plans=False)
    monkeypatch.setattr(planning, "host", SimpleNamespace(name="a", data=data))
    with pytest.raises(ServerError, match="only looks: start it with --dry"):
        planning.refuse_execution()


class Host:
    name = "a"
    data = SimpleNamespace(only_plans=True)

    def __init__(self) -> None:
        self.op_hash_order = ["old"]


def test_a_plan_is_forgotten_at_once_even_when_it_breaks(monkeypatch: pytest.MonkeyPatch) -> None:
    host = Host()
    state = SimpleNamespace(ops={host: {"old": None}}, op_meta={"old": None})

    def include(_: str) -> None:
        state.ops[host]["new"] = state.op_meta["new"] = None
        host.op_hash_order.append("new")
        raise ServerError("refused")

    monkeypatch.setattr(planning, "host", host)
    monkeypatch.setattr(planning, "state", state)
    monkeypatch.setattr(planning, "this_run", Run)
    monkeypatch.setattr(planning, "include", include)
    with pytest.raises(ServerError, match="refused"):
        planning.plan()
    assert (list(state.ops[host]), list(state.op_meta)) == (["old"], ["old"])
    assert host.op_hash_order == ["old"]
