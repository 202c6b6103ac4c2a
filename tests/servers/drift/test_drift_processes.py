"""What runs although no unit and no login explains it."""

from __future__ import annotations

import subprocess

import pytest
from tampering import Finder, Guarded, Tamper, expect_alone, in_rounds

LEFT = "setsid -f {} >/dev/null 2>&1 </dev/null; sleep 0.5"
"""It goes on once the shell has ended that started it."""

INTO_THE_UNIT = (
    "for procs in $(find /sys/fs/cgroup -path '*/php-fpm@askpro-production.service/cgroup.procs');"
    " do echo $$ >$procs; done;"
)

IN_MEMORY = (
    'python3 -c \'import os; program = os.memfd_create("x");'
    ' os.write(program, open("/usr/bin/sleep", "rb").read());'
    ' os.execv(f"/proc/self/fd/{program}", ["sshd:", "600"])\''
)
"""memfd_create(2): no file has ever been on a disk."""


def as_user(name: str, command: str) -> str:
    return f"setpriv --reuid {name} --regid {name} --clear-groups {command}"


def process(severity: str, thing: str) -> tuple[str, str, str, str]:
    return "unmanaged", severity, "process", thing


TAMPERS = [
    Tamper(
        LEFT.format("bash -c 'exec -a \"[kworker/0:1]\" perl -e \"sleep 600\"'"),
        process("critical", "/usr/bin/perl of root"),
    ),
    Tamper(
        LEFT.format(as_user("askpro-production", "sleep 600")),
        process("high", "/usr/bin/sleep of askpro-production"),
    ),
    Tamper(
        LEFT.format(f"sh -c '{INTO_THE_UNIT} exec {as_user('askpro-production', 'tail -f')}'"),
        process("high", "/usr/bin/tail of askpro-production"),
    ),
    Tamper(
        "cp /usr/bin/sleep /dev/shm/sshd && " + LEFT.format("/dev/shm/sshd 600")
        + " && rm /dev/shm/sshd",
        process("critical", "/dev/shm/sshd (deleted) of root"),
    ),
    Tamper(LEFT.format(IN_MEMORY), process("critical", "/memfd:x (deleted) of root")),
    Tamper(
        "systemd-run --quiet --scope --collect sh -c 'setsid -f yes >/dev/null 2>&1 </dev/null'",
        process("critical", "/usr/bin/yes of root"),
    ),
    Tamper(
        "systemd-run --quiet --unit=sync2 sleep 600",
        ("unmanaged", "critical", "unit", "sync2.service"),
    ),
]  # fmt: skip


NETWORK = [
    Tamper(
        "ip route add 198.51.100.0/24 via 198.18.0.1",
        ("unmanaged", "high", "route", "198.51.100.0/24 via 198.18.0.1 dev host0"),
    ),
    Tamper(
        "ip -6 route add blackhole 2001:db8::/32",
        ("unmanaged", "high", "route", "-6 blackhole 2001:db8::/32 dev lo"),
    ),
    Tamper(
        "ip address add 192.0.2.9/32 dev host0",
        ("unmanaged", "low", "address", "192.0.2.9/32 host0"),
    ),
    Tamper(
        "ip link add tap9 type bridge",
        ("unmanaged", "low", "interface", "tap9 bridge"),
    ),
    Tamper(
        "ip rule add priority 99 from 192.0.2.1 lookup 99",
        ("unmanaged", "high", "rule", "-4 99 src 192.0.2.1 table 99"),
    ),
    Tamper(
        "ip neighbour add 198.18.0.99 lladdr 02:00:00:00:00:01 dev host0",
        ("unmanaged", "high", "neighbour", "198.18.0.99 02:00:00:00:00:01 host0"),
    ),
    Tamper(
        "ip link set dev host0 promisc on",
        ("unmanaged", "high", "listening", "host0"),
    ),
    Tamper(
        "ip netns add hidden",
        ("unmanaged", "low", "namespace", "hidden"),
    ),
    Tamper(
        "echo 'nameserver 198.51.100.9' >>/etc/resolv.conf",
        ("unmanaged", "high", "resolver", "198.51.100.9"),
    ),
    Tamper(
        "sysctl -qw net.ipv4.conf.all.route_localnet=1",
        ("unmanaged", "low", "kernel value", "net.ipv4.conf.all.route_localnet 1"),
    ),
    Tamper(
        "sysctl -qw net.ipv4.ip_unprivileged_port_start=80",
        ("unmanaged", "low", "kernel value", "net.ipv4.ip_unprivileged_port_start 80"),
    ),
]  # fmt: skip


@pytest.mark.parametrize(("together", "tamper"), in_rounds([*TAMPERS, *NETWORK]))
def test_what_somebody_leaves_running(
    find: Finder, together: tuple[Tamper, ...], tamper: Tamper
) -> None:
    find(together).alone(tamper)


@pytest.mark.parametrize(("together", "tamper"), in_rounds([*TAMPERS[:3], *NETWORK]))
def test_what_somebody_leaves_running_on_bookworm(
    find_12: Finder, together: tuple[Tamper, ...], tamper: Tamper
) -> None:
    find_12(together).alone(tamper)


def test_a_login_ends_with_all_that_it_started(guarded: Guarded) -> None:
    """With logind, as most servers have it. The check is a login, too."""
    guarded.shell("apt-get install -q -y --mark-auto libpam-systemd")
    try:
        assert guarded.check().findings == []
        ssh = ["ssh", "-F", str(guarded.lab.ssh_config), "-o", "User=anna", guarded.server.name]
        with subprocess.Popen([*ssh, "cat"], stdin=subprocess.PIPE):
            assert guarded.check().findings == []
        left = [*ssh, "setsid -f sleep 601 >/dev/null 2>&1 </dev/null"]
        subprocess.run(left, check=True)
        expect_alone(guarded, Tamper("true", process("high", "/usr/bin/sleep of anna")))
    finally:
        guarded.shell("loginctl terminate-user anna deploy")
        guarded.shell("apt-get purge -q -y --autoremove libpam-systemd")
