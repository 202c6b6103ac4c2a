"""Packages come in one go; nothing is removed, and nothing starts that nobody asked for."""

from __future__ import annotations

import shlex
import shutil
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from stagecraft.errors import ServerError
from stagecraft.facts.installation import Change, Installation, InstallationFact
from stagecraft.facts.machine import Machine
from stagecraft.facts.neighbours import Neighbours, Vhost
from stagecraft.manifest import Manifest, Records
from stagecraft.operations import packages
from stagecraft.operations.nodes import File
from stagecraft.operations.packages import INSTALL_PACKAGES, Installed
from stagecraft.packages import wanted as needed
from stagecraft.run import Run
from stagecraft.settings.models import AptSource
from tasks import packages as task
from tasks.nginx import WELCOME_PAGE

pytestmark = pytest.mark.usefixtures("this_run")

# --- What is there ---


@pytest.fixture
def installation(shell: Any, stand_in: Any) -> Any:
    """The fact of two packages, of which nginx is installed, where apt says this of the other."""

    def read(said: str, fails: bool = False) -> Installation:
        stand_in("dpkg-query", "printf 'installed nginx\\nhalf-configured acl\\n'")
        stand_in("find", "echo fresh")
        stand_in("apt-get", f"printf '%s\\n' {shlex.quote(said)}; exit {100 if fails else 0}")
        fact = InstallationFact()
        return fact.process(shell(fact.command(packages=["nginx", "acl"])).stdout.splitlines())

    return read


def test_packages_that_come_and_those_that_get_another_version(installation: Any) -> None:
    found = installation(
        "Inst libacl1 [2.3.1-1] (2.3.2-2 Debian:13.8/stable [amd64]) [acl:amd64 ]\n"
        "Inst acl (2.3.2-2 Debian:13.8/stable [amd64])\nConf libacl1 (2.3.2-2 Debian [amd64])"
    )
    assert found == Installation(
        installed=frozenset({"nginx"}),
        changes=(Change("acl", "", "2.3.2-2"), Change("libacl1", "2.3.1-1", "2.3.2-2")),
        fresh=True,
    )
    assert [str(change) for change in found.upgrades] == ["libacl1 2.3.1-1 → 2.3.2-2"]


def test_what_apt_complains_of(installation: Any) -> None:
    said = "E: Unable to locate package acl\nE: Couldn't find any package by regex 'acl'"
    found = installation(said, fails=True)
    assert (found.changes, found.problems) == ((), ("Unable to locate package acl",))


@pytest.mark.skipif(not shutil.which("apt-get"), reason="this is no Debian")
def test_installed_ones_are_found_beside_unknown_ones(read_here: Any) -> None:
    wanted = ["dpkg", "no-such-package", "$(echo dpkg)"]
    assert read_here(InstallationFact, packages=wanted).installed == {"dpkg"}


def test_an_extension_is_of_its_php_version_alone() -> None:
    installing: Any = object()
    installed = Installed(["certbot", "php8.4-gmp"], installing)
    assert installed.extends("8.4") == [installing]
    assert installed.extends("8.3") == []


# --- What is wanted ---


def test_php_and_its_extensions_come_in_the_site_s_version(
    make_site: Any, make_environment: Any, make_machine: Any
) -> None:
    site = make_site(php="8.3", php_extensions=["imagick"])
    wanted = needed(make_environment(site), make_machine("13"))
    assert {"php8.3-fpm", "php8.3-redis", "php8.3-mysql", "php8.3-imagick"} <= set(wanted)
    assert not [name for name in wanted if name.startswith("php8.4")]


def test_two_sites_with_two_php_versions_get_both(
    make_site: Any, make_environment: Any, make_machine: Any
) -> None:
    environment = make_environment(make_site("one", php="8.3"), make_site("two"))
    machine = make_machine("13")
    assert {"php8.3-fpm", "php8.4-fpm"} <= set(needed(environment, machine))
    assert task.php_versions(environment, machine) == ["8.3", "8.4"]


@pytest.mark.parametrize(("issuer", "wants"), [("selfsigned", False), ("letsencrypt", True)])
def test_certbot_comes_where_a_ca_is_asked(
    make_site: Any, make_environment: Any, machine: Any, issuer: str, wants: bool
) -> None:
    site = make_site(tls={"issuer": issuer, "email": "ops@askpro.test"})
    assert ("certbot" in needed(make_environment(site), machine)) is wants


def test_the_engine_is_the_declared_one(site: Any, make_environment: Any, machine: Any) -> None:
    environment = make_environment(site)
    server = environment.server.model_copy(
        update={"database": environment.server.database.model_copy(update={"engine": "mysql"})}
    )
    wanted = needed(environment.model_copy(update={"server": server}), machine)
    assert "mysql-server" in wanted
    assert "mariadb-server" not in wanted


def test_debian_s_own_instances_never_start(
    site: Any, make_environment: Any, make_machine: Any, write: Any
) -> None:
    calls = write(make_environment(site), make_machine("13")).calls
    (never,) = [call.never_started for call in calls if hasattr(call, "never_started")]
    assert never == ["redis-server.service", "php8.4-fpm.service"]


# --- Archives besides Debian's ---


KEY = "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nmQINBF\n-----END PGP PUBLIC KEY BLOCK-----\n"


def test_an_archive_is_trusted_by_its_own_key_alone(machine: Machine) -> None:
    source = AptSource(uris=["https://archive.example/php/"], suites=["trixie"], key=KEY)
    nodes = {node.path: node for node in task.apt_source("sury", source, machine)}
    key = nodes["/etc/apt/keyrings/stagecraft-sury.asc"]
    sources = nodes["/etc/apt/sources.list.d/stagecraft-sury.sources"]
    assert isinstance(key, File)
    assert isinstance(sources, File)
    assert key.content == KEY
    assert sources.content.splitlines()[1:] == [
        "Types: deb",
        "URIs: https://archive.example/php/",
        "Suites: trixie",
        "Components: main",
        "Signed-By: /etc/apt/keyrings/stagecraft-sury.asc",
    ]


def test_an_archive_with_a_suite_of_debian_s_own_name_is_pinned_by_its_host(
    make_machine: Any,
) -> None:
    """By its suite, the pin would be Debian's packages' too."""
    source = AptSource(uris=["https://archive.example/php/"], suites=["trixie"], key=KEY, pin=50)
    assert task.pinned(source, make_machine("13")) == ["origin archive.example"]
    assert task.pinned(source, make_machine("12")) == ["release trixie"]


def test_an_archive_without_a_key_leaves_it_to_debian_s_keyring(machine: Machine) -> None:
    source = AptSource(uris=["https://mirror.example/pool"], suites=["unstable"])
    texts = [
        node.content for node in task.apt_source("sid", source, machine) if isinstance(node, File)
    ]
    assert not [text for text in texts if "Signed-By" in text]


@pytest.fixture
def archive(tmp_path: Path) -> AptSource:
    """A real archive in a directory, whose suite has another name than its codename, as unstable
    and sid."""
    release = tmp_path / "archive/dists/unstable"
    index = release / "main/binary-amd64/Packages"
    index.parent.mkdir(parents=True)
    index.write_text(
        "Package: mysql-server\nVersion: 9.7\nArchitecture: all\nMaintainer: x <x@x.test>\n"
        "Filename: pool/x.deb\nSize: 1\nSHA256: 00\nDescription: x\n\n"
    )
    data = index.read_bytes()
    (release / "Release").write_text(
        "Suite: unstable\nCodename: sid\nArchitectures: amd64\nComponents: main\n"
        "Date: Thu, 01 Jan 2026 00:00:00 UTC\nValid-Until: Fri, 02 Jan 2026 00:00:00 UTC\n"
        f"SHA256:\n {sha256(data).hexdigest()} {len(data)} main/binary-amd64/Packages\n"
    )
    return AptSource.model_construct(
        uris=[f"file:{tmp_path}/archive"],
        suites=["unstable"],
        components=["main"],
        key=None,
        pin=50,
        check_valid_until=False,
    )


@pytest.fixture
def apt(tmp_path: Path, archive: AptSource, machine: Machine, shell: Any) -> Any:
    """apt with this archive as its only one, below a directory of its own."""
    if not shutil.which("apt-get"):
        pytest.skip("this is no Debian")
    root = tmp_path / "apt"
    for directory in ("lists/partial", "cache/archives/partial", "sources", "preferences"):
        (root / directory).mkdir(parents=True)
    (root / "status").touch()
    for node in task.apt_source("sid", archive, machine):
        if isinstance(node, File):
            part = "preferences" if node.path.endswith(".pref") else "sources"
            (root / part / Path(node.path).name).write_text(node.content)
    options = {
        "Dir::Etc::sourcelist": "/dev/null",
        "Dir::Etc::sourceparts": root / "sources",
        "Dir::Etc::preferences": "/dev/null",
        "Dir::Etc::preferencesparts": root / "preferences",
        "Dir::State": root,
        "Dir::State::Lists": root / "lists",
        "Dir::State::status": root / "status",
        "Dir::Cache": root / "cache",
        "APT::Architecture": "amd64",
        "APT::Sandbox::User": "root",
        "Acquire::AllowInsecureRepositories": "true",
        "APT::Get::List-Cleanup": "false",
        "APT::Update::Post-Invoke::": "true",
    }
    flags = " ".join(f"-o {shlex.quote(f'{key}={value}')}" for key, value in options.items())

    def run(command: str, arguments: str) -> str:
        result = shell(f"{command} {flags} {arguments}")
        assert result.returncode == 0, result.stderr
        return str(result.stdout)

    return run


def test_apt_pins_the_suite_by_the_name_that_the_source_gives_it(apt: Any) -> None:
    apt("apt-get", "update")
    policy = apt("apt-cache", "policy mysql-server").splitlines()
    assert "9.7 50" in [line.strip() for line in policy]


# --- The operation ---


UPGRADE = Installation(
    frozenset({"nginx"}), (Change("acl", "", "2"), Change("libacl1", "1", "2")), fresh=True
)


def commands(
    monkeypatch: pytest.MonkeyPatch, found: Installation, *wanted: str, may_upgrade: bool = True
) -> list[Any]:
    monkeypatch.setattr(packages, "host", SimpleNamespace(get_fact=lambda *_, **__: found))
    units = ["a.service", "b.service"]
    return list(
        packages.install._inner(packages=wanted, never_started=units, may_upgrade=may_upgrade)
    )


def test_what_is_installed_is_not_installed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    found = Installation(frozenset({"nginx", "acl"}))
    assert commands(monkeypatch, found, "nginx", "acl") == []


@pytest.mark.parametrize(("may_upgrade", "word"), [(True, "upgrade"), (False, "keep")])
def test_only_what_is_missing_is_installed(
    monkeypatch: pytest.MonkeyPatch, may_upgrade: bool, word: str
) -> None:
    (command,) = commands(
        monkeypatch, UPGRADE, "nginx", "php8.4-fpm", "acl", may_upgrade=may_upgrade
    )
    words = shlex.split(command.get_raw_value())
    manifest, units = "/var/lib/stagecraft/manifests/staging", "a.service b.service"
    assert words[4:] == [manifest, units, word, "acl", "php8.4-fpm"]


@pytest.fixture
def plan(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> Any:
    """What the plan says where this is found; with `pending`, before the archives are declared."""

    def say(
        found: Installation, users: tuple[str, ...] = (), pending: bool = False, **data: Any
    ) -> str:
        host = SimpleNamespace(
            name="askpro-1", print_prefix="", data=data, get_fact=lambda *_, **__: found
        )
        monkeypatch.setattr(packages, "host", host)
        monkeypatch.setattr(packages, "install", lambda **_: None)
        monkeypatch.setattr(packages, "pending", lambda _: pending)
        with caplog.at_level("INFO"):
            packages.installed(name="x", packages=["nginx", "acl"], users=users)
        return "\n".join(record.getMessage() for record in caplog.records)

    return say


def test_the_plan_names_what_comes_and_what_is_upgraded(plan: Any) -> None:
    assert plan(UPGRADE) == ("Packages to install:\n  acl 2\nPackages to upgrade:\n  libacl1 1 → 2")


def test_what_others_use_is_upgraded_only_when_a_run_says_so(plan: Any) -> None:
    with pytest.raises(ServerError) as error:
        plan(UPGRADE, ("production",))
    assert "packages that production may use: libacl1 1 → 2" in str(error.value)
    assert "libacl1 1 → 2" in plan(UPGRADE, ("production",), upgrade=True)


@pytest.mark.parametrize("word", ["yes", 1])
def test_another_word_is_not_taken_for_no(plan: Any, word: object) -> None:
    with pytest.raises(ServerError, match=f"--data upgrade={word}: must be true or false"):
        plan(UPGRADE, ("production",), upgrade=word)


def test_an_installation_that_upgrades_nothing_needs_no_word(plan: Any) -> None:
    found = Installation(frozenset({"nginx"}), (Change("acl", "", "2"),), fresh=True)
    assert plan(found, ("production",)) == "Packages to install:\n  acl 2"


LOCATED_NOWHERE = ("Unable to locate package acl",)


def test_a_package_that_no_archive_has_is_refused_by_the_plan(plan: Any) -> None:
    with pytest.raises(ServerError, match=r"Unable to locate package acl\. Nothing was"):
        plan(Installation(frozenset({"nginx"}), problems=LOCATED_NOWHERE, fresh=True))


@pytest.mark.parametrize(("fresh", "pending"), [(False, False), (True, True)])
def test_what_the_archives_have_is_not_known_before_they_were_asked(
    plan: Any, fresh: bool, pending: bool
) -> None:
    found = Installation(frozenset({"nginx"}), problems=LOCATED_NOWHERE, fresh=fresh)
    said = plan(found, pending=pending)
    assert (
        said == "Packages to install, in the versions that the archives have at that time:\n  acl"
    )


# --- Who uses what is installed ---


def users_of(this_run: Run, environment: Any, neighbours: Neighbours, *manifests: str) -> list[str]:
    records = {name: Records() for name in manifests}
    this_run.manifest = Manifest("staging", records)
    this_run.environment, this_run.neighbours = environment, neighbours
    return task.users(this_run)


def test_a_bare_server_is_used_by_nobody_else(
    this_run: Run, make_site: Any, make_environment: Any
) -> None:
    welcome = Vhost("/etc/nginx/sites-enabled/default", sha256=WELCOME_PAGE)
    environment = make_environment(make_site())
    assert users_of(this_run, environment, Neighbours(vhosts=[welcome])) == []
    assert users_of(this_run, environment, Neighbours(), "staging") == []


def test_other_environments_and_what_others_built_use_it(
    this_run: Run, make_site: Any, make_environment: Any
) -> None:
    neighbours = Neighbours(
        vhosts=[Vhost("/etc/nginx/sites-enabled/www")], packages={"mariadb-server"}
    )
    users = users_of(this_run, make_environment(make_site()), neighbours, "production")
    assert users == ["production", "/etc/nginx/sites-enabled/www", "mariadb"]


# --- What install_packages.sh does, with stand-ins for apt ---


@pytest.fixture
def install(tmp_path: Path, shell: Any, stand_in: Any) -> Any:
    """Runs it where `known` packages have an archive; returns its result and what it called."""
    log = tmp_path / "log"

    def run(
        *wanted: str,
        known: str = "nginx acl",
        units: str = "",
        lists: str = "list",
        others: str = "keep",
        upgrades: str = "",
    ) -> Any:
        unknown = "while [ $1 != -- ]; do shift; done; shift\n" + (
            f'for name; do case " {known} " in *" $name "*) ;; *) exit 100 ;; esac; done;'
            f' echo "{upgrades}"; exit 0'
        )
        stand_in(
            "apt-get",
            f'case $* in *--simulate*) {unknown} ;; *) echo "apt-get $*" >>{log} ;; esac',
        )
        stand_in("find", f'case $* in *_Packages*) echo "{lists}" ;; esac')
        stand_in("ln", f'echo "ln $*" >>{log}')
        stand_in("systemctl", "case $* in *taken*) echo loaded ;; *) echo not-found ;; esac")
        # As the real one: it fails when it knows none of several packages.
        stand_in(
            "apt-cache",
            "while [ $1 != -- ]; do shift; done; shift\n"
            f'for name; do case " {known} " in *" $name "*) exit 0 ;; esac; done; exit 100',
        )
        stand_in("dpkg", "true")
        manifest = str(tmp_path / "manifest")
        result = shell(INSTALL_PACKAGES, "install-packages", manifest, units, others, *wanted)
        called = log.read_text().splitlines() if log.exists() else []
        return SimpleNamespace(result=result, called=called)

    return run


def test_packages_are_installed_without_removing_any(install: Any) -> None:
    (call,) = install("nginx", "acl").called
    assert call.startswith("apt-get install")
    assert "--no-remove" in call
    assert call.endswith("-- nginx acl")


def test_a_package_that_no_archive_has_is_named_and_nothing_is_installed(install: Any) -> None:
    run = install("nginx", "php9.9-fpm")
    assert run.result.returncode == 1
    assert run.result.stderr.startswith("no package php9.9-fpm in this server's apt sources")
    assert "install" not in [call.split()[1] for call in run.called]


LIBRARY = "Inst libacl1 [1] (2 Debian:13 [amd64])"


def test_what_others_use_keeps_its_version(install: Any) -> None:
    run = install("acl", upgrades=LIBRARY, units="new.service")
    assert run.result.returncode == 1
    assert run.result.stderr.splitlines()[1:] == ["libacl1 1 → 2"]
    assert run.called == []


def test_what_nobody_else_uses_is_upgraded(install: Any) -> None:
    run = install("acl", upgrades=LIBRARY, others="upgrade")
    assert [call.split()[1] for call in run.called] == ["install"]


def test_one_unknown_package_among_others_has_the_lists_fetched(install: Any) -> None:
    called = install("nginx", "php9.9-fpm").called
    assert [call.split()[1] for call in called] == ["update"]


def test_the_lists_are_fetched_where_there_are_none(install: Any) -> None:
    assert [call.split()[1] for call in install("nginx", lists="").called] == ["update", "install"]


def test_a_unit_that_came_with_nobody_yet_is_masked_before_its_package(install: Any) -> None:
    called = install("nginx", units="redis-server.service taken.service").called
    assert called[0] == "ln -sfn /dev/null /etc/systemd/system/redis-server.service"
    assert "taken" not in " ".join(called)


def test_a_package_that_no_archive_has_leaves_the_server_untouched(install: Any) -> None:
    run = install("php9.9-fpm", units="php9.9-fpm.service")
    assert not [call for call in run.called if call.startswith("ln")]
