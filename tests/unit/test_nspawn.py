"""Throwaway servers: what can be decided without one."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from stagecraft.nspawn import Lab, NspawnError, containers, images, network, ssh_config, tree
from stagecraft.nspawn.locked import locked

ARGUMENTS = ["systemd-nspawn", "--boot", "--directory=/lab/servers/one/root", "--machine=stage-7"]


def test_a_command_line_names_its_server() -> None:
    found = containers.parse(4711, ARGUMENTS)
    assert found == containers.Supervisor(4711, 7, Path("/lab/servers/one/root"))


def test_the_shell_that_restarts_a_container_counts_as_one_of_its_supervisors() -> None:
    found = containers.parse(4711, ["sh", "-c", "while …", "stage-7", *ARGUMENTS])
    assert found == containers.Supervisor(4711, 7, Path("/lab/servers/one/root"))


@pytest.mark.parametrize(
    "arguments",
    [
        [""],
        ["vi", "--directory=/lab/servers/one/root", "--machine=stage-7"],
        ["systemd-nspawn", "-D", "d13", "--machine=d13"],
        ["systemd-nspawn", "--directory=/lab/servers/one/root", "--machine=stage-door"],
        ["systemd-nspawn", "--machine=stage-7"],
    ],
)
def test_a_stranger_is_no_server(arguments: list[str]) -> None:
    assert containers.parse(4711, arguments) is None


def test_killing_what_does_not_run_leaves_strangers_alone(tmp_path: Path) -> None:
    with subprocess.Popen(["sleep", "60"], cwd=tmp_path) as stranger:
        containers.kill(tmp_path)
        assert stranger.poll() is None
        stranger.kill()


def test_numbers_are_given_lowest_first_and_never_the_gateways() -> None:
    assert network.free_number(set()) == 2
    assert network.free_number({2, 3, 5}) == 4
    assert network.address(4) == "198.18.0.4"


def test_a_full_network_says_what_would_help() -> None:
    with pytest.raises(NspawnError, match="make clean"):
        network.free_number(set(range(2, 255)))


@pytest.mark.parametrize("name", ["", "-a", "a-", "A", "a.b", "../a", "a" * 64])
def test_a_name_that_is_no_host_name_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(NspawnError, match="no host name"):
        Lab(tmp_path).server(name)


def test_an_unknown_suite_is_refused_with_the_known_ones() -> None:
    with pytest.raises(NspawnError, match="trixie, bookworm"):
        images.base("potato")


def test_the_ssh_configuration_knows_every_server_and_forgets_those_that_are_gone(
    tmp_path: Path,
) -> None:
    for name, address in (("one", "198.18.0.2"), ("two", "198.18.0.3")):
        directory = tmp_path / "servers" / name
        directory.mkdir(parents=True)
        ssh_config.write_host(
            directory,
            address=address,
            user="root",
            key=tmp_path / "key",
            host_key="ssh-ed25519 AAAA",
        )
    ssh_config.collect(tmp_path)
    assert _resolved(tmp_path, "two")["hostname"] == "198.18.0.3"
    assert _resolved(tmp_path, "two")["stricthostkeychecking"] == "true"
    assert (tmp_path / "servers/two/known_hosts").read_text() == "198.18.0.3 ssh-ed25519 AAAA\n"

    (tmp_path / "servers/two/ssh_config").unlink()
    ssh_config.collect(tmp_path)
    assert _resolved(tmp_path, "one")["hostname"] == "198.18.0.2"
    assert _resolved(tmp_path, "two")["hostname"] == "two"


def test_packages_travel_both_ways_and_only_whole_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    archives = tmp_path / "root/var/cache/apt/archives"
    (archives / "partial").mkdir(parents=True)
    (archives / "nginx_1.deb").write_text("nginx")
    (archives / "partial/redis_1.deb").write_text("half of redis")

    images.harvest("trixie", tmp_path / "root")
    images.harvest("trixie", tmp_path / "root")

    cached = list((tmp_path / "cache/stagecraft").glob("trixie-*.packages/*"))
    assert [path.name for path in cached] == ["nginx_1.deb"]


def test_a_base_system_is_fresh_for_a_week(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = _count_base_systems(monkeypatch, tmp_path)
    tar = images.base("trixie")
    images.base("trixie")
    assert len(made) == 1

    _age(tar, days=8)
    images.base("trixie")
    assert len(made) == 2


def test_an_old_base_system_is_better_than_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _count_base_systems(monkeypatch, tmp_path)
    tar = images.base("trixie")
    _age(tar, days=8)

    def offline(suite: str, tar: Path) -> None:
        raise NspawnError("no mirror answers")

    monkeypatch.setattr(images, "_mmdebstrap", offline)
    assert images.base("trixie") == tar
    with pytest.raises(NspawnError, match="no mirror answers"):
        images.base("bookworm")


def test_a_tree_becomes_a_server_of_its_own(tmp_path: Path) -> None:
    for directory in ("etc/ssh", "etc/systemd/system", "root"):
        (tmp_path / directory).mkdir(parents=True)
    (tmp_path / "etc/os-release").write_text('ID=debian\nVERSION_CODENAME=trixie\nVERSION="13"\n')
    tree.name(tmp_path, "one")
    first = tree.host_key(tmp_path)
    tree.name(tmp_path, "two")
    tree.connect(tmp_path, "198.18.0.9")

    assert tree.host_key(tmp_path) != first
    assert (tmp_path / "etc/hostname").read_text() == "two\n"
    assert "198.18.0.9/24" in (tmp_path / "etc/systemd/system/host0.service").read_text()
    assert tree.suite(tmp_path) == "trixie"
    assert tree.login(tmp_path) == "root"


def test_a_lock_makes_the_next_one_wait(tmp_path: Path) -> None:
    with locked(tmp_path / "lock"):
        attempt = subprocess.run(["flock", "--nonblock", tmp_path / "lock", "true"], check=False)
        assert attempt.returncode == 1
    subprocess.run(["flock", "--nonblock", tmp_path / "lock", "true"], check=True)


def test_a_command_that_survives_its_caller_keeps_the_lock(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path\n"
        "from stagecraft.nspawn import commands, locked\n"
        "with locked.locked(Path(sys.argv[1])): commands.run('sh', '-c', 'kill $PPID; sleep 1')\n"
    )
    subprocess.run([sys.executable, "-c", script, tmp_path / "lock"], check=False)
    attempt = ["flock", "--nonblock", str(tmp_path / "lock"), "true"]
    assert subprocess.run(attempt, check=False).returncode == 1
    subprocess.run(["flock", "--timeout", "5", *attempt[2:]], check=True)


def _resolved(directory: Path, name: str) -> dict[str, str]:
    """What OpenSSH makes of the lab's configuration for this name."""
    command = ["ssh", "-G", "-F", str(directory / "ssh_config"), name]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return {key: value for key, _, value in (line.partition(" ") for line in output.splitlines())}


def _count_base_systems(monkeypatch: pytest.MonkeyPatch, cache: Path) -> list[str]:
    """Replaces mmdebstrap; the list gets the suite of every base system that is made."""
    made: list[str] = []

    def pretend(suite: str, tar: Path) -> None:
        made.append(suite)
        tar.write_text("")

    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
    monkeypatch.setattr(images, "_mmdebstrap", pretend)
    return made


def _age(path: Path, *, days: int) -> None:
    then = time.time() - days * 24 * 60 * 60
    os.utime(path, (then, then))
