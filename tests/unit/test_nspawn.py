"""Throwaway servers: what can be decided without one."""

import hashlib
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lab import (
    Lab,
    NspawnError,
    containers,
    images,
    inside,
    kernel,
    network,
    ssh_config,
    tree,
)
from lab.commands import locked

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


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache with a base system whose lists name nginx 1:1."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    lists = tmp_path / "base/var/lib/apt/lists"
    lists.mkdir(parents=True)
    (lists / "deb_dists_trixie_main_binary-amd64_Packages").write_text(
        "Package: nginx\nVersion: 1:1\nSize: 5\nArchitecture: amd64\nPriority: optional\n"
        f"SHA256: {hashlib.sha256(b'nginx').hexdigest()}\n\nPackage: redis\n"
    )
    images._checksums.cache_clear()
    cache = tmp_path / "cache/stagecraft"
    cache.mkdir(parents=True)
    tar = cache / f"trixie-{images._architecture()}.tar"
    subprocess.run(["tar", "-C", tmp_path / "base", "-cf", tar, "./var"], check=True)
    return cache


def cached(cache: Path) -> list[str]:
    return [path.name for path in cache.glob("trixie-*.debs/*")]


def test_packages_travel_both_ways_and_only_whole_ones(tmp_path: Path, cache: Path) -> None:
    archives = tmp_path / "root/var/cache/apt/archives"
    (archives / "partial").mkdir(parents=True)
    (archives / "nginx_1%3a1_amd64.deb").write_text("nginx")
    (archives / "partial/redis_1_amd64.deb").write_text("half of redis")

    images.harvest("trixie", tmp_path / "root")
    images.harvest("trixie", tmp_path / "root")
    assert cached(cache) == ["nginx_1%3a1_amd64.deb"]

    new = tmp_path / "new"
    for directory in ("var/cache/apt/archives", "etc/apt/apt.conf.d"):
        (new / directory).mkdir(parents=True)
    images.unpack("trixie", new)
    (given,) = (new / "var/cache/apt/archives").iterdir()
    given.write_text("poison")
    assert (cache / f"trixie-{images._architecture()}.debs" / given.name).read_text() == "nginx"


@pytest.mark.parametrize("name", ["nginx_1%3a1_amd64.deb", "nginx_2_amd64.deb"])
def test_a_package_that_debian_did_not_sign_is_not_cached(
    tmp_path: Path, cache: Path, name: str
) -> None:
    archives = tmp_path / "root/var/cache/apt/archives"
    archives.mkdir(parents=True)
    (archives / name).write_text("nginy")
    images.harvest("trixie", tmp_path / "root")
    assert cached(cache) == []


def test_a_package_that_is_a_link_is_the_server_s_own(tmp_path: Path, cache: Path) -> None:
    """It leads to what the server would read there, not to a file of this machine."""
    archives = tmp_path / "root/var/cache/apt/archives"
    archives.mkdir(parents=True)
    (tmp_path / "outside").write_text("nginx")
    (archives / "nginx_1%3a1_amd64.deb").symlink_to(tmp_path / "outside")
    with pytest.raises(NspawnError, match="is not as a Debian has it: No such file"):
        images.harvest("trixie", tmp_path / "root")
    assert cached(cache) == []


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


# --- What a server's root may have planted in its tree ---


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A tree whose etc/ leads to a directory of this machine, and one that does not."""
    (tmp_path / "host").mkdir()
    (tmp_path / "host/hostname").write_text("host")
    root = tmp_path / "root"
    (root / "real").mkdir(parents=True)
    (root / "etc").symlink_to(tmp_path / "host")
    return root


def test_a_directory_that_leads_out_is_refused(root: Path) -> None:
    for attempt in (
        lambda: inside.write(root, "etc/hostname", "x"),
        lambda: inside.link(root, "etc/hostname", "x"),
        lambda: inside.remove(root, "etc/hostname"),
        lambda: inside.make_directory(root, "etc/new"),
        lambda: inside.read(root, "etc/hostname"),
    ):
        with pytest.raises(NspawnError, match="is not as a Debian has it"):
            attempt()
    assert inside.names(root, "etc") == []
    assert not inside.exists(root, "etc/hostname")
    assert [path.name for path in root.with_name("host").iterdir()] == ["hostname"]
    assert (root.with_name("host") / "hostname").read_text() == "host"


def test_a_link_means_what_it_means_to_the_server(root: Path) -> None:
    (root / "etc").unlink()
    (root / "etc").symlink_to("/../../../real")
    inside.write(root, "etc/hostname", "x")
    assert (root / "real/hostname").read_text() == inside.read(root, "etc/hostname") == "x"


@pytest.mark.parametrize("kind", ["link", "hard link", "pipe"])
def test_what_is_written_replaces_what_was_planted(root: Path, kind: str) -> None:
    planted, host = root / "real/hostname", root.with_name("host") / "hostname"
    if kind == "link":
        planted.symlink_to(host)
    elif kind == "hard link":
        planted.hardlink_to(host)
    else:
        os.mkfifo(planted)
    inside.write(root, "real/hostname", "x", 0o600)
    assert planted.read_text() == "x"
    assert planted.lstat().st_mode & 0o7777 == 0o600
    assert host.read_text() == "host"


def test_what_is_no_regular_file_is_not_read(root: Path) -> None:
    os.mkfifo(root / "real/os-release")
    with pytest.raises(NspawnError, match="is not a regular file"):
        inside.read(root, "real/os-release")
    with pytest.raises(NspawnError, match="is not a regular file"):
        inside.read(root, "real")


def test_a_host_key_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "etc/ssh").mkdir(parents=True)
    key = tmp_path / "etc/ssh/ssh_host_ed25519_key.pub"
    key.write_text("ssh-ed25519 AAAA root@one\n* ssh-ed25519 BBBB\n")
    assert tree.host_key(tmp_path) == "ssh-ed25519 AAAA"
    key.write_text("* ssh-ed25519 BBBB\n")
    with pytest.raises(NspawnError, match="no ed25519 key"):
        tree.host_key(tmp_path)


# --- The kernel's settings ---


def test_the_kernel_s_settings_are_put_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kernel, "BEFORE", tmp_path / "before")
    forwarding, instances = tmp_path / "ip_forward", tmp_path / "max_user_instances"
    forwarding.write_text("0\n")
    instances.write_text("1024\n")
    kernel.require(forwarding, "1")
    kernel.require(instances, "1024")
    assert forwarding.read_text() == "1"
    kernel.require(forwarding, "1")  # as a run does that finds a killed one's
    kernel.restore()
    assert (forwarding.read_text(), instances.read_text()) == ("0", "1024\n")
    forwarding.write_text("1\n")
    kernel.restore()
    assert forwarding.read_text() == "1\n"


# --- Locks ---


def test_a_lock_makes_the_next_one_wait(tmp_path: Path) -> None:
    with locked(tmp_path / "lock"):
        attempt = subprocess.run(["flock", "--nonblock", tmp_path / "lock", "true"], check=False)
        assert attempt.returncode == 1
    subprocess.run(["flock", "--nonblock", tmp_path / "lock", "true"], check=True)


def test_a_command_that_survives_its_caller_keeps_the_lock(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path\n"
        "from lab import commands\n"
        "with commands.locked(Path(sys.argv[1])): commands.run('sh', '-c', 'kill $PPID; sleep 1')\n"
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


RENAMES = """
import os, sys, time
until = time.monotonic() + 2
while time.monotonic() < until:
    os.rename("a", "b")
    os.rename("b", "a")
"""


def test_a_path_is_found_while_somebody_else_renames_a_directory(tmp_path: Path) -> None:
    """For a path with `..`, the kernel says EAGAIN then."""
    root, elsewhere = tmp_path / "root", tmp_path / "elsewhere"
    for directory in (root / "usr/lib", root / "etc", elsewhere / "a"):
        directory.mkdir(parents=True)
    (root / "usr/lib/os-release").write_text("trixie")
    (root / "etc/os-release").symlink_to("../usr/lib/os-release")
    renaming = subprocess.Popen([sys.executable, "-c", RENAMES], cwd=elsewhere)
    try:
        while renaming.poll() is None:
            assert inside.read(root, "etc/os-release") == "trixie"
    finally:
        renaming.kill()
        renaming.wait()
