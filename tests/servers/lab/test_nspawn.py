"""Throwaway servers, for real: both suites boot, and what a killed run leaves breaks nothing."""

import hashlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import Lab, LabServer, NspawnError, containers, images, network
from lab.commands import locked

VERSIONS = {"trixie": "13", "bookworm": "12"}


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    lab = Lab(tmp_path_factory.mktemp("lab"))
    yield lab
    lab.down()
    assert lab.servers() == []


@pytest.fixture(scope="module", params=VERSIONS)
def server(request: pytest.FixtureRequest, lab: Lab) -> LabServer:
    return lab.boot(f"bare-{request.param}", request.param)


def test_it_is_a_debian_whose_systemd_is_content(server: LabServer) -> None:
    assert server.ssh("systemctl is-system-running").stdout == "running\n"
    assert server.ssh("cat /etc/debian_version").stdout.startswith(VERSIONS[server.suite])
    assert server.ssh("hostname").stdout.strip() == server.name


def test_it_is_as_bare_as_a_provider_hands_it_over(server: LabServer) -> None:
    found = server.ssh("command -v python3 sudo curl nginx", check=False)
    assert found.stdout == ""


def test_apt_works_from_the_lists_it_came_with_and_keeps_what_it_downloads(
    server: LabServer,
) -> None:
    server.ssh("apt-get install --quiet --yes netbase", timeout=300)
    assert server.ssh("ls /var/cache/apt/archives/*.deb").stdout.count("netbase_") == 1
    server.ssh("apt-get update", timeout=300)


def test_its_host_key_is_pinned(server: LabServer, lab: Lab, tmp_path: Path) -> None:
    (stranger := tmp_path / "known_hosts").write_text("")
    command = ["ssh", "-F", str(lab.ssh_config), server.name, "true"]
    subprocess.run(command, check=True)
    refused = subprocess.run(
        [*command[:3], "-o", f"UserKnownHostsFile={stranger}", *command[3:]], check=False
    )
    assert refused.returncode == 255


def test_input_user_and_failures_of_a_command(server: LabServer) -> None:
    assert server.ssh("cat", input="ä\n").stdout == "ä\n"
    assert server.ssh("exit 3", check=False).returncode == 3
    with pytest.raises(NspawnError, match=r"(?s)ended with 3.*no such luck"):
        server.ssh("echo no such luck >&2; exit 3")
    with pytest.raises(NspawnError, match="Permission denied"):
        server.ssh("true", user="nobody")


def test_booting_it_again_returns_it(server: LabServer, lab: Lab) -> None:
    before = containers.leader(server.root)
    assert lab.boot(server.name, server.suite) == server
    assert containers.leader(server.root) == before
    other = next(suite for suite in VERSIONS if suite != server.suite)
    with pytest.raises(NspawnError, match=f"runs {server.suite}, not {other}"):
        lab.boot(server.name, other)


def test_it_reboots_from_outside_and_from_inside(server: LabServer) -> None:
    for reboot in (server.reboot, lambda: _reboot_from_inside(server)):
        server.ssh("touch /run/before-the-reboot /root/kept")
        reboot()
        server.ssh("test -e /root/kept && ! test -e /run/before-the-reboot")


def test_servers_see_each_other(lab: Lab) -> None:
    one, two = lab.boot("one"), lab.boot("two")
    assert one.address != two.address
    banner = one.ssh(f"bash -c 'read -r line < /dev/tcp/{two.address}/22 && echo $line'").stdout
    assert banner.startswith("SSH-2.0")


def test_stopping_a_service_here_leaves_the_neighbours_alone(lab: Lab) -> None:
    one, two = lab.boot("one"), lab.boot("two")
    one.ssh("systemctl restart systemd-journald ssh")
    assert two.ssh("systemctl is-active systemd-journald ssh").stdout == "active\nactive\n"
    assert two.ssh("systemctl is-system-running").stdout == "running\n"


def test_an_account_with_sudo_replaces_roots_login(lab: Lab) -> None:
    server = lab.boot("cloud", sudo_account=True)
    assert server.user == "debian"
    assert server.ssh("id -un; sudo id -un").stdout == "debian\nroot\n"
    with pytest.raises(NspawnError, match="Permission denied"):
        server.ssh("true", user="root")


def test_an_image_boots_as_a_server_of_its_own(lab: Lab, tmp_path: Path) -> None:
    original = lab.boot("one")
    original.ssh("echo provisioned > /root/state")
    image = original.snapshot(tmp_path / "image")
    copy = lab.boot("copy", image=image)

    facts = "cat /root/state /etc/machine-id /etc/ssh/ssh_host_ed25519_key.pub; hostname"
    ours, theirs = (server.ssh(facts).stdout.splitlines() for server in (original, copy))
    assert ours[0] == theirs[0] == "provisioned"
    assert all(one != other for one, other in zip(ours[1:], theirs[1:], strict=True))


def test_down_leaves_nothing_and_keeps_the_downloads(lab: Lab) -> None:
    server = lab.boot("brief")
    server.ssh("apt-get install --quiet --yes netbase", timeout=300)
    number = int(server.address.rsplit(".", 1)[1])
    server.down()
    assert not server.runs
    assert not server.directory.exists()
    left = Path(f"/sys/class/net/vb-stage-{number}").exists()
    assert not left or number in {other.number for other in containers.running()}
    assert not list(Path("/sys/fs/cgroup").glob(f"*/stage-{number}"))
    assert "Host brief" not in lab.ssh_config.read_text()

    again = lab.boot("brief")
    again.ssh("apt-get install --quiet --yes --no-download netbase")


def test_a_container_without_its_supervisor_breaks_nothing(lab: Lab) -> None:
    server = lab.boot("orphan")
    orphan = containers.leader(server.root)
    assert orphan
    for supervisor in containers.supervisors(server.root):
        os.kill(supervisor.pid, signal.SIGKILL)

    lab.boot("orphan").ssh("apt-get --version")
    assert not Path(f"/proc/{orphan}").exists()


def test_a_container_whose_files_were_deleted_is_still_found(lab: Lab) -> None:
    server = lab.boot("deleted")
    shutil.rmtree(server.directory)
    assert server in lab.servers()
    lab.down("deleted")
    assert server not in lab.servers()


@pytest.mark.parametrize("seconds", [0.3, 0.8, 2.0])
def test_a_boot_that_was_killed_breaks_nothing(lab: Lab, seconds: float) -> None:
    command = [sys.executable, "-m", "lab", "--directory", str(lab.directory)]
    with subprocess.Popen([*command, "up", "killed"]) as boot:
        time.sleep(seconds)
        boot.kill()
    lab.boot("killed").ssh("systemctl is-system-running")
    lab.down("killed")


PLANTED = ("etc/hostname", "etc/hosts", "etc/resolv.conf", "etc/ssh/ssh_host_rsa_key")
UNIT = "etc/systemd/system/host0.service"


def test_nothing_is_written_through_links_that_a_server_planted(lab: Lab, tmp_path: Path) -> None:
    """Root on the server leads files that this machine writes to, at its next start and in copies
    of it, to files of this machine."""
    server = lab.boot("rogue")
    for path in (*PLANTED, UNIT):
        (tmp_path / Path(path).name).write_text("this machine's")
        server.ssh(f"ln -sf {tmp_path / Path(path).name} /{path}")
    (tmp_path / "archives").mkdir()
    (tmp_path / "archives/hello_2_amd64.deb").write_text("this machine's")
    server.ssh(f"rm -r /var/cache/apt/archives && ln -s {tmp_path}/archives /var/cache/apt/")

    image = server.snapshot(tmp_path / "image")
    copy = lab.boot("copy-of-rogue", image=image)
    assert copy.ssh("hostname; cat /etc/hostname").stdout.split() == ["copy-of-rogue"] * 2
    assert copy.ssh("ssh-keygen -l -f /etc/ssh/ssh_host_rsa_key").stdout
    lab.down("rogue", "copy-of-rogue")
    left = [tmp_path / Path(path).name for path in (*PLANTED, UNIT)]
    left.append(tmp_path / "archives/hello_2_amd64.deb")
    assert {path.read_text() for path in left} == {"this machine's"}
    assert [path.name for path in (tmp_path / "archives").iterdir()] == ["hello_2_amd64.deb"]


def test_a_server_cannot_change_what_the_next_one_installs(lab: Lab) -> None:
    """Of a package in its cache apt looks at the size alone: so the cache of this machine takes
    only what Debian signed, and gives away copies."""
    server = lab.boot("poisoner")
    cache = images._packages("trixie")
    for path in cache.glob("hello_*.deb"):
        path.unlink()
    download = "apt-get clean; apt-get install --quiet --yes --download-only hello"
    poison = "printf poison | dd of=$(ls /var/cache/apt/archives/hello_*.deb) conv=notrunc"
    server.ssh(f"{download} && {poison}", timeout=300)
    server.harvest()
    assert not list(cache.glob("hello_*.deb"))

    server.ssh(download, timeout=300)
    server.harvest()
    (kept,) = cache.glob("hello_*.deb")
    checksum = hashlib.sha256(kept.read_bytes()).digest()
    lab.boot("poisoned").ssh(poison)
    server.ssh(poison)
    assert hashlib.sha256(kept.read_bytes()).digest() == checksum


FORWARDS = """
from lab import kernel, network
network.ensure()
print(network.FORWARDING.read_text().strip())
network.remove()
kernel.restore()
print(network.FORWARDING.read_text().strip())
"""


@pytest.mark.parametrize("before", ["0", "1"])
def test_forwarding_is_what_it_was_once_the_last_server_is_gone(before: str) -> None:
    """In a network of its own, since other servers of this machine may run."""
    mounts = "mount -t sysfs none /sys; mount -t tmpfs none /run"
    script = f'{mounts}; echo {before} > {network.FORWARDING}; exec "$@"'
    alone = ["unshare", "--net", "--mount", "sh", "-ec", script, "sh"]
    done = subprocess.run(
        [*alone, sys.executable, "-c", FORWARDS], capture_output=True, text=True, check=False
    )
    assert (done.stdout.split(), done.stderr) == (["1", before], "")


def test_the_network_goes_with_the_last_server(lab: Lab) -> None:
    lab.down()
    containers.wait_until(_network_as_needed, 10, "no server runs, and the network is there")


def _network_as_needed() -> bool:
    """Whether it is there if any server of this machine runs, and gone if none does."""
    with locked(network.LOCK):
        needed = bool(containers.running())
        bridge = Path("/sys/class/net", network.BRIDGE).exists()
        tables = subprocess.run(["nft", "list", "tables"], capture_output=True, check=True)
    return bridge == needed == (b"table ip stagecraft\n" in tables.stdout)


def _reboot_from_inside(server: LabServer) -> None:
    before = containers.leader(server.root)
    server.ssh("systemctl reboot", check=False)
    containers.wait_until(
        lambda: containers.leader(server.root) not in (before, None), 30, "it does not reboot"
    )
    server.wait()
