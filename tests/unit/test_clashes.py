"""What others have on a server, and what of it a site must not be put beside."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from stagecraft.engines import ENGINES
from stagecraft.facts.database import DatabaseAccount, DatabaseState
from stagecraft.facts.neighbours import (
    Group,
    Home,
    Listener,
    Neighbours,
    NeighboursFact,
    Vhost,
)
from stagecraft.manifest import Manifest, PathRecord, Records
from stagecraft.operations.nodes import Absent
from stagecraft.run import Run
from stagecraft.services import Services
from stagecraft.settings import Environment, Site
from tasks import clashes as task
from tasks.database import exposed, ours
from tasks.nginx import CATCH_ALL, WELCOME_PAGE, answering, default_server, ipv6_beside, shared

NAME = "askpro-staging"
HOME = f"/var/www/{NAME}"
ENGINE = ENGINES["mariadb"]

NGINX = Listener("0.0.0.0:80", "nginx", "7", "nginx.service")
MARIADB = Listener("/run/mysqld/mysqld.sock", "mariadbd", "8", "mariadb.service")
MARIADB_S_PORT = Listener("127.0.0.1:3306", "mariadbd", "8", "mariadb.service")


@pytest.fixture
def environment(make_site: Any, make_environment: Any) -> Environment:
    made: Environment = make_environment(make_site(domain="staging.askpro.test"))
    return made


@pytest.fixture
def site(environment: Environment) -> Site:
    return environment.sites[0]


@pytest.fixture
def run_beside(environment: Environment) -> Callable[..., Run]:
    def beside(there: Neighbours, **records: Records) -> Run:
        run = Run(Manifest("staging", records))
        run.environment, run.neighbours = environment, there
        return run

    return beside


@pytest.fixture
def find(run_beside: Callable[..., Run]) -> Callable[..., list[str]]:
    """The clashes with what is given, on a server that has nothing else."""

    def find(database: DatabaseState | None = None, **found: Any) -> list[str]:
        return list(task.clashes(run_beside(Neighbours(**found)), database or DatabaseState()))

    return find


# --- What is there ---

OUTPUT = """\
listener|0.0.0.0:80|nginx|7
listener|[::]:443|nginx|7
listener|/var/run/mysqld/mysqld.sock|mariadbd|8
listener|127.0.0.1:3306
unit|7|nginx.service
unit|8|
package|mariadb-server
user|askpro-staging|/srv/app
group|askpro-staging|1001|backup
group|shop-staging|990|
lineage|askpro-staging|/var/www/html,
lineage|shop-staging|
home|/var/www/askpro-staging|symbolic link|root:root|full
home|/var/www/shop-staging|directory|root:root|empty
ours|/etc/redis/redis-askpro-staging.conf
foreign|/etc/redis/redis-shop-staging.conf
sum|1234|/etc/nginx/nginx.conf
sum|5678|/etc/nginx/sites-enabled/with space
vhost|/etc/nginx/nginx.conf
server_names_hash_bucket_size|128
vhost|/etc/nginx/sites-enabled/with space
listen|443|ssl
server_name|Askpro.test|"www.askpro.test"
""".replace("|", "\t").splitlines()


def test_what_the_fact_prints_is_read() -> None:
    assert NeighboursFact().process(OUTPUT) == Neighbours(
        listeners=[
            Listener("0.0.0.0:80", "nginx", "7", "nginx.service"),
            Listener("[::]:443", "nginx", "7", "nginx.service"),
            Listener("/run/mysqld/mysqld.sock", "mariadbd", "8"),
            Listener("127.0.0.1:3306"),
        ],
        packages={"mariadb-server"},
        users={"askpro-staging": "/srv/app"},
        groups={"askpro-staging": Group(1001, ("backup",)), "shop-staging": Group(990)},
        homes={
            "/var/www/askpro-staging": Home("symbolic link", "root:root"),
            "/var/www/shop-staging": Home("directory", "root:root", empty=True),
        },
        files={
            "/etc/redis/redis-askpro-staging.conf": True,
            "/etc/redis/redis-shop-staging.conf": False,
        },
        vhosts=[
            Vhost(
                "/etc/nginx/sites-enabled/with space",
                "5678",
                ["443"],
                ["askpro.test", "www.askpro.test"],
            )
        ],
        lineages={"askpro-staging": "/var/www/html", "shop-staging": ""},
        names_hash_bucket="128",
    )


def test_nothing_at_all_is_read() -> None:
    assert NeighboursFact().process([""]) == Neighbours()


def test_this_machine_is_read(read_here: Any, tmp_path: Path) -> None:
    """The real command, whose shell must be right whatever it finds."""
    (tmp_path / "ours").write_text("# Managed by Stagecraft (x)\n")
    (tmp_path / "foreign").write_text("x")
    (tmp_path / "full").mkdir()
    (tmp_path / "full/file").touch()
    (tmp_path / "empty").mkdir()
    paths = {name: str(tmp_path / name) for name in ("ours", "foreign", "full", "empty", "none")}
    found: Neighbours = read_here(
        task.NeighboursFact,
        names=["root", "no-such-user"],
        homes=[paths["full"], paths["empty"], paths["none"]],
        files=[paths["ours"], paths["foreign"], paths["none"]],
        engine="mariadb",
    )
    assert found.users == {"root": "/root"}
    assert found.groups["root"].gid == 0
    assert found.files == {paths["ours"]: True, paths["foreign"]: False}
    assert {path: home.empty for path, home in found.homes.items()} == {
        paths["full"]: False,
        paths["empty"]: True,
    }


@pytest.fixture
def directives(shell: Any, tmp_path: Path) -> Callable[..., list[Vhost]]:
    """Reads files as if they were nginx's, with the fact's own command."""

    def read(**files: str) -> list[Vhost]:
        (tmp_path / "sites-enabled").mkdir()
        for name, text in files.items():
            (tmp_path / "sites-enabled" / name).write_bytes(os.fsencode(text))
        output = shell(NeighboursFact().script().replace("/etc/nginx", str(tmp_path))).stdout
        return NeighboursFact().process(output.splitlines()).vhosts

    return read


def test_directives_are_read_however_they_are_written(directives: Any) -> None:
    (found,) = directives(
        a="server{listen\t127.0.0.1 ; # listen 81;\n server_name a.test\r\n\tb.test;}\n"
        "server {\n# server_name c.test;\n  listen [::]:443 ssl; return 444 }",
        ours="# Managed by Stagecraft (x)\nserver { listen 80; server_name ours.test; }",
        upstream="upstream php { server unix:/run/php.sock; }",
    )
    assert found.names == ["a.test", "b.test"]
    assert found.addresses == ["127.0.0.1:80", "[::]:443"]


@pytest.mark.parametrize(
    "name", ["two\nlines", "a\tb", "back\\slash", "latin-1 \udcfc", "-n", "x=y"]
)
def test_a_file_of_any_name_is_read(directives: Any, name: str) -> None:
    (found,) = directives(**{name: "server { listen; server_name a.test; }"})
    assert found.names == ["a.test"]
    assert found.sha256
    assert found.path.isprintable()


def test_a_name_in_another_encoding_is_read(directives: Any) -> None:
    (found,) = directives(a="server { listen 80; server_name m\udcfcller.test a.test; }")
    assert "a.test" in found.names


@pytest.mark.parametrize(
    ("listen", "address"),
    [
        ("443", "*:443"),
        ("[::]", "[::]:80"),
        ("[::]:443", "[::]:443"),
        ("203.0.113.1", "203.0.113.1:80"),
        ("203.0.113.1:443", "203.0.113.1:443"),
    ],
)
def test_an_address_gets_the_port_that_nginx_gives_it(listen: str, address: str) -> None:
    assert Vhost("/x", listens=[listen]).addresses == [address]


def test_a_socket_is_no_address_and_a_server_that_says_nothing_has_port_80() -> None:
    assert Vhost("/x", listens=["unix:/run/x.sock"]).addresses == []
    assert Vhost("/x", names=["a.test"]).addresses == ["*:80"]


# --- What clashes ---


def test_a_bare_server_has_no_clash(find: Any) -> None:
    assert find() == []


def test_a_converged_server_has_no_clash(find: Any, site: Site) -> None:
    database = DatabaseState(
        reachable=True,
        schemas={site.database.name: ("utf8mb4", "utf8mb4_unicode_ci")},
        accounts={user: DatabaseAccount() for user in site.database.users},
        option_files=set(site.database.users),
    )
    assert not find(
        database,
        listeners=[NGINX, MARIADB],
        packages={"mariadb-server", "mariadb-server-core"},
        users={NAME: HOME},
        groups={NAME: Group(990)},
        homes={HOME: Home("directory", f"root:{NAME}")},
        files=dict.fromkeys([CATCH_ALL, ENGINE.settings, *Services(site.name).files], True),
        lineages={NAME: "/var/lib/stagecraft/acme"},
    )


def test_what_an_interrupted_run_leaves_is_no_clash(find: Any) -> None:
    assert not find(
        groups={NAME: Group(990)}, homes={HOME: Home("directory", "root:root", empty=True)}
    )


def test_a_home_of_ours_that_has_got_another_owner_is_drift_and_no_clash(site: Site) -> None:
    record = PathRecord(NAME, f"app-{NAME}", "directory", HOME, "root", NAME, "750", "-")
    manifest = Manifest("staging", {"staging": Records([record])})
    for kind, clashes in (("directory", 0), ("symbolic link", 1)):
        there = Neighbours(homes={HOME: Home(kind, f"{NAME}:{NAME}")})
        assert len(list(task.foreign_files(site, there, manifest))) == clashes


@pytest.mark.parametrize("port", ["80", "443"])
@pytest.mark.parametrize("address", ["0.0.0.0", "*", "[::]", "203.0.113.1", "127.0.0.1"])
def test_another_owner_of_nginx_s_ports_is_named(find: Any, port: str, address: str) -> None:
    listener = Listener(f"{address}:{port}", "docker-proxy", "812", "docker.service")
    (clash,) = find(listeners=[listener])
    assert clash.startswith(
        f"port {port} is used by docker-proxy (process 812 of docker.service), and nginx needs it"
    )


def test_an_nginx_that_systemd_did_not_start_is_another(find: Any) -> None:
    assert "nginx (process 7)" in find(listeners=[Listener("*:80", "nginx", "7")])[0]


def test_a_port_on_two_addresses_is_one_clash(find: Any) -> None:
    both = [Listener(address, "caddy", "1", "caddy.service") for address in ("*:80", "[::]:80")]
    assert len(find(listeners=both)) == 1


def test_an_owner_that_the_kernel_does_not_tell_is_one(find: Any) -> None:
    assert "a process that is not visible" in find(listeners=[Listener("*:80")])[0]


@pytest.mark.parametrize(
    "package", ["mysql-server", "mysql-server-core-8.0", "percona-server-server"]
)
def test_a_server_of_another_engine_is_not_replaced(find: Any, package: str) -> None:
    (clash,) = find(packages={package})
    assert clash.startswith(f"{package} would be removed for mariadb-server")
    assert "servers: askpro-1: database: {engine:" in clash


def test_another_owner_of_the_database_s_socket_is_named(find: Any) -> None:
    (clash,) = find(listeners=[Listener(MARIADB.address, "mysqld", "9", "docker-1.scope")])
    assert f"{MARIADB.address} is used by mysqld (process 9 of docker-1.scope)" in clash
    assert "mariadb.service needs it" in clash


def test_a_database_server_on_a_port_is_no_clash(find: Any) -> None:
    assert find(listeners=[Listener("127.0.0.1:3306", "mysqld", "9", "docker.service")]) == []


OURS = dict.fromkeys([ENGINE.settings], True)
"""The file that makes a server ours."""


def test_a_login_by_tcp_is_not_cut_off_by_a_server_of_ours(find: Any) -> None:
    there = DatabaseState(reachable=True, by_tcp={"reports@127.0.0.1", "crm@%"})
    listeners = [MARIADB, MARIADB_S_PORT]
    first, second = find(there, listeners=listeners, files=OURS, packages={"mariadb-server"})
    assert "the database account crm@% can log in by TCP" in first
    assert "the database account reports@127.0.0.1 can log in by TCP" in second
    assert "only on /run/mysqld/mysqld.sock" in second
    assert find(listeners=listeners, files=OURS, packages={"mariadb-server"}) == []


def test_a_login_by_tcp_does_not_matter_where_there_is_none(find: Any) -> None:
    """Where others configure the server, that stays; ours without a port lets nobody in by it."""
    there = DatabaseState(reachable=True, by_tcp={"reports@127.0.0.1"})
    assert find(there, listeners=[MARIADB], files=OURS, packages={"mariadb-server"}) == []
    assert find(there, listeners=[MARIADB, MARIADB_S_PORT], packages={"mariadb-server"}) == []


def test_a_server_of_others_whose_databases_cannot_be_seen_is_refused(find: Any) -> None:
    assert "root cannot log in" in find(packages={"mariadb-server"})[0]
    assert find(DatabaseState(reachable=True), packages={"mariadb-server"}) == []


def test_our_own_server_that_is_stopped_is_none(find: Any) -> None:
    configuration = {ENGINE.settings: True}
    assert find(packages={"mariadb-server"}, files=configuration) == []


@pytest.mark.parametrize(
    ("found", "words"),
    [
        ({"users": {NAME: "/home/x"}}, [f"the user {NAME} has the home /home/x", HOME]),
        (
            {"users": {f"redis-{NAME}": "/home/x"}},
            [f"the user redis-{NAME} has the home", "/var/lib/"],
        ),
        ({"groups": {f"redis-{NAME}": Group(1001)}}, [f"the group redis-{NAME} exists"]),
        ({"groups": {NAME: Group(1001)}}, [f"the group {NAME} exists"]),
        (
            {"groups": {NAME: Group(990, ("eve", "bob"))}},
            [f"the group {NAME} has the members eve, bob"],
        ),
        ({"homes": {HOME: Home("directory", "www-data:www-data")}}, [f"{HOME} is a directory"]),
        ({"homes": {HOME: Home("directory", "eve:eve", empty=True)}}, [f"{HOME} is a directory"]),
        ({"homes": {HOME: Home("directory", "root:root")}}, [f"{HOME} is a directory"]),
        ({"homes": {HOME: Home("symbolic link", f"root:{NAME}")}}, [f"{HOME} is a symbolic link"]),
        ({"lineages": {NAME: "/var/www/html"}}, ["certbot", f"{NAME}.conf"]),
        ({"lineages": {NAME: ""}}, ["certbot", f"{NAME}.conf"]),
    ],
)
def test_what_has_a_site_s_name_is_named(find: Any, found: Any, words: list[str]) -> None:
    (clash,) = find(**found)
    for word in words:
        assert word in clash
    assert "group_data/staging.yml" in clash


def test_a_user_of_ours_may_have_others_in_its_group(find: Any) -> None:
    """Drift, which is not for the preflight to say."""
    assert find(users={NAME: HOME}, groups={NAME: Group(990, ("eve",))}) == []


def test_a_file_that_is_not_marked_is_not_overwritten(find: Any, site: Site) -> None:
    files = Services(site.name).files
    found = find(files=dict.fromkeys(files, False))
    assert [clash.split()[0] for clash in found] == list(files)


@pytest.mark.parametrize("name", ["staging.askpro.test", ".staging.askpro.test"])
def test_a_vhost_with_our_name_is_named(find: Any, name: str) -> None:
    (clash,) = find(vhosts=[Vhost("/etc/nginx/sites-enabled/x", names=["_", name])])
    assert "/etc/nginx/sites-enabled/x serves staging.askpro.test:" in clash


@pytest.mark.parametrize("name", ["*.askpro.test", "askpro.test", "~^staging", "_"])
def test_a_vhost_with_another_name_is_no_clash(find: Any, name: str) -> None:
    assert find(vhosts=[Vhost("/etc/nginx/sites-enabled/x", names=[name])]) == []


def test_a_database_and_an_account_without_our_login_are_foreign(find: Any, site: Site) -> None:
    user, migrator = site.database.users
    there = DatabaseState(
        True, set(), {site.database.name: ("", "")}, {migrator: DatabaseAccount()}
    )
    (clash,) = find(there)
    assert f"the database {site.database.name} and the account {migrator} already exist" in clash
    (clash,) = find(DatabaseState(True, {migrator}, {}, {user: DatabaseAccount()}))
    assert clash.startswith(f"the account {user} already exists")


def test_all_clashes_are_found_at_once(find: Any) -> None:
    found = find(
        listeners=[Listener("*:80", "caddy", "1")],
        users={NAME: "/x"},
        homes={HOME: Home("file", "root:root")},
    )
    assert len(found) == 3


# --- What is left to others ---


@pytest.mark.parametrize(
    ("installed", "recorded", "configured", "is_ours"),
    [
        (False, False, False, True),
        (True, False, False, False),
        (True, True, False, True),
        (True, False, True, True),
    ],
)
def test_a_database_server_that_others_installed_is_theirs(
    run_beside: Any, installed: bool, recorded: bool, configured: bool, is_ours: bool
) -> None:
    """A run that was interrupted before it configured what it installed has recorded it."""
    there = Neighbours(packages={"mariadb-server"} if installed else set())
    if configured:
        there.files[ENGINE.settings] = True
    records = Records(packages={"mariadb-server"} if recorded else set())
    assert ours(run_beside(there, production=records)) is is_ours


def test_a_database_server_beyond_localhost_is_exposed(run_beside: Any) -> None:
    open_to_all = Listener("*:3306", "mariadbd", "8", "mariadb.service")
    there = Neighbours([NGINX, MARIADB, MARIADB_S_PORT, open_to_all])
    assert exposed(run_beside(there)) == [open_to_all]


WELCOME = Vhost("/etc/nginx/sites-enabled/default", WELCOME_PAGE, ["80"], ["_"])
STATUS = Vhost("/etc/nginx/conf.d/status.conf", "", ["127.0.0.1:8080"], ["localhost"])
SHOP = Vhost("/etc/nginx/sites-enabled/shop", "", ["443"], ["shop.test"])


def test_unknown_names_are_left_to_a_vhost_of_others() -> None:
    assert answering(Neighbours(vhosts=[WELCOME, STATUS, SHOP])) == [SHOP]


def test_our_catch_all_stays_when_others_come() -> None:
    assert answering(Neighbours(vhosts=[SHOP], files={CATCH_ALL: True})) == []


def test_without_others_the_catch_all_takes_the_welcome_page_s_place(machine: Any) -> None:
    nodes = default_server(machine, Neighbours(vhosts=[WELCOME, STATUS]))
    assert CATCH_ALL in [node.path for node in nodes]
    assert Absent("/etc/nginx/sites-enabled/default", WELCOME_PAGE) in nodes


@pytest.mark.parametrize("theirs", ["", "128"])
def test_how_long_a_name_may_be_is_set_unless_others_have_set_it(machine: Any, theirs: str) -> None:
    """nginx takes the directive once."""
    nodes = shared(machine, Neighbours(names_hash_bucket=theirs))
    text = next(node.content for node in nodes if node.path.endswith("conf.d/stagecraft.conf"))
    assert ("\nserver_names_hash_bucket_size " in text) == (not theirs)


@pytest.mark.parametrize(
    ("listens", "ipv6"),
    [
        ([], True),
        (["443"], False),
        (["443", "[::]:80"], False),
        (["443", "[2001:db8::7]:443"], False),
        (["443", "[::]:443", "8080"], True),
    ],
)
def test_ipv6_is_for_sites_whose_neighbours_have_it(listens: list[str], ipv6: bool) -> None:
    others = [Vhost("/etc/nginx/sites-enabled/shop", "", listens)] if listens else []
    assert ipv6_beside(others) is ipv6
