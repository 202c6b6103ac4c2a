"""Who may log in and what is open: what settings are refused, and what follows from the others."""

from __future__ import annotations

import base64
import os
import struct
import subprocess
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from stagecraft.facts.access import CurrentAccess, CurrentAccessFact
from stagecraft.facts.system import SysctlFact, parse_sysctl
from stagecraft.operations.access import unlike
from stagecraft.settings import Host, Server
from stagecraft.settings.checks import logins, missing_files
from stagecraft.sizes import swap_megabytes
from tasks import sshd


def public_key(kind: str, *fields: bytes) -> str:
    parts = (kind.encode(), *fields)
    blob = b"".join(struct.pack(">I", len(part)) + part for part in parts)
    return f"{kind} {base64.b64encode(blob).decode()} anna@laptop"


ED25519 = public_key("ssh-ed25519", bytes(32))
TOKEN = public_key("sk-ssh-ed25519@openssh.com", bytes(32), b"ssh:")


def rsa(bits: int) -> str:
    return public_key("ssh-rsa", b"\1\0\1", (1 << (bits - 1) | 1).to_bytes(bits // 8 + 1, "big"))


def server(**settings: Any) -> Server:
    return Server.model_validate({"name": "one", "address": "192.0.2.1"} | settings)


@pytest.mark.parametrize("key", [ED25519, TOKEN, rsa(3072), rsa(4096)])
def test_keys_that_sshd_will_accept(key: str) -> None:
    assert Host(admins={"anna": [key]}).keys("anna") == [key]


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        (rsa(2048), "2048 bits, but RSA needs 3072"),
        (public_key("ssh-dss", b""), "not an accepted type of key"),
        (public_key("ecdsa-sha2-nistp256", b""), "not an accepted type of key"),
        (ED25519[:40], "copy the whole line"),
        (f"ssh-ed25519 {rsa(3072).split()[1]}", "copy the whole line"),
        (f"{ED25519}\n{TOKEN}", "must be one line"),
        (f'from="192.0.2.1" {ED25519}', "not an accepted type of key"),
    ],
)
def test_keys_that_would_let_nobody_in(key: str, reason: str) -> None:
    with pytest.raises(ValidationError, match=reason):
        Host(admins={"anna": [key]})


def test_every_admin_s_key_opens_deploy(tmp_path: Path) -> None:
    (tmp_path / "ben.pub").write_text(f"# ben's\n{TOKEN}\n")
    host = Host(
        admins={"anna": [ED25519], "ben": [str(tmp_path / "ben.pub")]}, deploy=[rsa(4096), ED25519]
    )
    assert host.keys("deploy") == [rsa(4096), ED25519, TOKEN]
    assert host.accounts == ["anna", "ben", "deploy"]


def test_a_key_file_that_is_not_there_has_its_place() -> None:
    one = server(host={"admins": {"anna": ["keys/anna.pub"]}})
    assert list(missing_files(one, {})) == [
        (("servers", "one", "host", "admins", "anna", 0), "there is no file keys/anna.pub")
    ]


def test_deploy_logs_in_where_root_cannot() -> None:
    host = {"admins": {"anna": [ED25519]}}
    assert server().ssh_user == "root"
    assert server(host=host).ssh_user == "deploy"
    assert not list(logins({"one": server(host=host, ssh_user="anna")}))
    ((path, message),) = logins({"one": server(host=host, ssh_user="root")})
    assert path == ("servers", "one", "ssh_user")
    assert "SSH is open only to anna or deploy" in message
    assert not list(logins({"one": server(ssh_user="root")}))


@pytest.mark.parametrize("name", ["root", "deploy", "stagecraft", "mysql"])
def test_an_admin_has_a_name_of_their_own(name: str) -> None:
    problems = list(logins({"one": server(host={"admins": {name: [ED25519]}})}))
    assert (("servers", "one", "host", "admins", name), "is reserved: choose another name") in (
        problems
    )


def test_sshd_s_settings_are_compared_by_what_they_become(make_machine: Any) -> None:
    host = Host(admins={"anna": [ED25519]})
    wanted = sshd.effective(sshd.drop_in([2222], host, make_machine("13")))
    assert wanted["allowusers"] == ["anna", "deploy"]
    assert wanted["permitrootlogin"] == ["no"]
    assert unlike(wanted, wanted) == []
    assert unlike(wanted, wanted | {"port": ["22", "2222"]}) == ["port"]
    assert unlike(wanted, wanted | {"permitrootlogin": ["yes"]}) == ["permitrootlogin"]


def test_the_transition_takes_nothing_away(make_machine: Any) -> None:
    host = Host(admins={"anna": [ED25519]})
    settings = {"authorizedkeysfile": [".ssh/authorized_keys"], "allowusers": ["root"]}
    nodes = sshd.transition([22, 2222], host, make_machine("12"), CurrentAccess(settings=settings))
    text = nodes[-1].content  # type: ignore[union-attr]
    assert "Port 22\nPort 2222\n" in text
    assert "AuthorizedKeysFile .ssh/authorized_keys /etc/ssh/authorized_keys.d/%u\n" in text
    assert "AllowUsers root anna deploy\n" in text
    assert "PermitRootLogin" not in text


def test_the_ways_into_a_machine_as_they_are_printed() -> None:
    current = CurrentAccessFact().process(
        [
            "unit ActiveState=active",
            "armed",
            "sshd port 22",
            "sshd port 2222",
            "key anna ssh-ed25519 AAAA anna@laptop",
            "host-key ssh-ed25519 AAAA root@one",
            "active ssh.socket",
            "active ufw.service",
            "loaded",
        ]
    )
    assert current.armed
    assert current.sshd.running
    assert current.ports == [22, 2222]
    assert current.keys == {"anna": ["ssh-ed25519 AAAA anna@laptop"]}
    assert current.host_key == "ssh-ed25519 AAAA"
    assert current.socket
    assert current.foreign == ("ufw",)
    assert current.firewall


def test_kernel_settings_as_they_are_printed() -> None:
    lines = ["/proc/sys/net/ipv4/ping_group_range:1\t0", "/proc/sys/fs/suid_dumpable:0"]
    assert parse_sysctl(lines) == {"net.ipv4.ping_group_range": "1 0", "fs.suid_dumpable": "0"}


RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")


@pytest.mark.skipif(not os.access(RANGE, os.W_OK), reason="only who can set them is told")
def test_kernel_settings_are_read_whole() -> None:
    """The kernel answers a read of single bytes with the first of them."""
    command = SysctlFact().command(["net.ipv4.ip_local_port_range", "net.no.such_key"])
    printed = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True)
    found = parse_sysctl(printed.stdout.splitlines())
    assert found == {"net.ipv4.ip_local_port_range": " ".join(RANGE.read_text().split())}


@pytest.mark.parametrize(
    ("setting", "memory_mb", "expected"),
    [("auto", 1024, 1024), ("auto", 65536, 2048), ("none", 1024, 0), ("1G", 65536, 1024)],
)
def test_swap_by_memory(setting: str, memory_mb: int, expected: int, make_machine: Any) -> None:
    assert swap_megabytes(setting, make_machine(memory_mb=memory_mb)) == expected
