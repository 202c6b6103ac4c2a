"""What the machine is, and whether it can become what is declared."""

from __future__ import annotations

import os
import shutil
from types import SimpleNamespace
from typing import Any

import pytest
from pyinfra.api.exceptions import FactProcessError

from stagecraft import machine as machines
from stagecraft.errors import ServerError
from stagecraft.facts.machine import Machine, MachineFact, version_tuple
from stagecraft.packages import php_version
from stagecraft.settings.models import AptSource
from tasks import machine as task

BARE_TRIXIE = """\
uid=0
ID=debian
VERSION_ID="13"
architecture=amd64
memory_kb=4026000
ipv6=yes
""".splitlines()


def test_a_bare_debian_has_the_versions_it_ships() -> None:
    machine = MachineFact().process(BARE_TRIXIE)
    assert machine.supported
    assert (machine.php, machine.nginx, machine.openssl) == ("8.4", (1, 26), (3, 5))
    assert (machine.uid, machine.architecture, machine.ipv6) == (0, "amd64", True)


def test_an_installed_version_counts_more_than_the_shipped_one() -> None:
    machine = MachineFact().process([*BARE_TRIXIE, "nginx=1.28.0-2~bpo13+1", "openssl=3.6.1-1"])
    assert (machine.nginx, machine.openssl) == ((1, 28, 0), (3, 6, 1))


@pytest.mark.parametrize(
    ("text", "version"),
    [("1.26.3-3+deb13u1", (1, 26, 3)), ("1:10.11.6-0", (10, 11, 6)), ("3", (3,)), ("", ())],
)
def test_a_debian_version_is_compared_by_its_numbers(text: str, version: Any) -> None:
    assert version_tuple(text) == version


@pytest.mark.parametrize(
    ("kilobytes", "megabytes"),
    [(4026000, 3840), (4000000, 3840), (262144, 256), (262143, 256), (100000, 256)],
)
def test_memory_is_rounded_down_so_that_a_new_kernel_changes_nothing(
    kilobytes: int, megabytes: int
) -> None:
    lines = [line for line in BARE_TRIXIE if not line.startswith("memory")]
    assert MachineFact().process([*lines, f"memory_kb={kilobytes}"]).memory_mb == megabytes


def test_a_share_of_the_memory_is_in_whole_megabytes(make_machine: Any) -> None:
    assert make_machine(memory_mb=1000).megabytes(33) == 330


@pytest.mark.parametrize(
    ("name", "version"), [("ubuntu", "24.04"), ("debian", "11"), ("debian", "")]
)
def test_other_systems_are_not_supported(make_machine: Any, name: str, version: str) -> None:
    machine = make_machine().__dict__ | {"distribution": name, "version": version}
    assert not Machine(**machine).supported


def test_what_is_no_debian_is_said_without_a_traceback() -> None:
    with pytest.raises(FactProcessError, match="Debian"):
        MachineFact().process(["uid=0", "architecture=", "memory_kb="])


@pytest.mark.skipif(not shutil.which("dpkg"), reason="this is no Debian")
def test_this_machine_is_read_with_one_command(read_here: Any) -> None:
    machine: Machine = read_here(MachineFact)
    assert machine.uid == os.getuid()
    assert machine.memory_mb % 256 == 0
    assert machine.architecture
    assert machine.version


# --- Preflight ---


@pytest.fixture
def find(monkeypatch: pytest.MonkeyPatch) -> Any:
    def host(machine: Machine) -> None:
        data = SimpleNamespace(get=lambda key: "deployer")
        stub = SimpleNamespace(name="askpro-1", data=data, get_fact=lambda fact: machine)
        for module in (machines, task):
            monkeypatch.setattr(module, "host", stub)

    return host


def test_a_fitting_server_passes(
    find: Any, site: Any, make_environment: Any, machine: Machine
) -> None:
    find(machine)
    assert task.machine(make_environment(site)) == machine


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"uid": 1000}, "askpro-1: .* cannot become root"),
        ({"distribution": "ubuntu"}, "askpro-1 runs ubuntu 13; Debian 12 or 13 is needed"),
    ],
)
def test_a_server_that_cannot_become_what_is_declared_is_refused(
    find: Any, site: Any, make_environment: Any, make_machine: Any, values: Any, message: str
) -> None:
    find(make_machine(**values))
    with pytest.raises(ServerError, match=message):
        task.machine(make_environment(site))


def test_another_php_than_debian_s_needs_an_archive(
    find: Any, make_site: Any, make_environment: Any, make_machine: Any
) -> None:
    find(make_machine("13"))
    with pytest.raises(ServerError) as error:
        task.machine(make_environment(make_site(php="8.2")))
    assert "askpro-staging needs PHP 8.2, but Debian 13 has 8.4" in str(error.value)
    assert "servers: askpro-1: apt_sources" in str(error.value)


def test_another_php_is_taken_from_a_declared_archive(
    find: Any, make_site: Any, make_environment: Any, make_machine: Any
) -> None:
    find(make_machine("13"))
    sury = AptSource(uris=["https://archive.example/php/"], suites=["trixie"])
    environment = make_environment(make_site(php="8.2"))
    server = environment.server.model_copy(update={"apt_sources": {"sury": sury}})
    task.machine(environment.model_copy(update={"server": server}))


def test_a_site_without_a_php_version_gets_debian_s(site: Any, machine: Machine) -> None:
    assert php_version(site, machine) == machine.php


def test_a_site_s_own_php_version_wins(make_site: Any, machine: Machine) -> None:
    assert php_version(make_site(php="8.3"), machine) == "8.3"
