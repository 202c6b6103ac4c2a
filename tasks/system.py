"""The machine as a whole: its name, time, language, limits and swap."""

from __future__ import annotations

from pyinfra.api.deploy import deploy
from pyinfra.context import host

from stagecraft.facts.machine import Machine
from stagecraft.facts.system import System, SystemFact
from stagecraft.operations import files, system
from stagecraft.operations.files import Checker
from stagecraft.operations.nodes import Directory, File, Link, Node
from stagecraft.operations.services import RESTART, running
from stagecraft.render import file
from stagecraft.services import JOURNALD, TIMESYNCD
from stagecraft.settings import Host, Server
from stagecraft.sizes import swap_megabytes

JOURNAL = "/etc/systemd/journald.conf.d"
MANAGER = "/etc/systemd/system.conf.d"
COREDUMP = "/etc/systemd/coredump.conf.d"
SWAP_FILE = "/swapfile"
SWAP_UNIT = "/etc/systemd/system/swapfile.swap"

KERNEL = {
    "dev.tty.ldisc_autoload": "0",
    "fs.protected_fifos": "2",
    "fs.protected_hardlinks": "1",
    "fs.protected_regular": "2",
    "fs.protected_symlinks": "1",
    "fs.suid_dumpable": "0",
    # Each crash would log a line to the journal, which no unit's rate limit counts.
    "debug.exception-trace": "0",
    "kernel.core_pattern": "|/bin/false",
    "kernel.dmesg_restrict": "1",
    "kernel.kptr_restrict": "2",
    "kernel.randomize_va_space": "2",
    "kernel.sysrq": "0",
    "kernel.unprivileged_bpf_disabled": "1",
    "kernel.yama.ptrace_scope": "1",
    "net.core.bpf_jit_harden": "2",
    "net.ipv4.conf.all.accept_redirects": "0",
    "net.ipv4.conf.all.accept_source_route": "0",
    "net.ipv4.conf.default.accept_source_route": "0",
    "net.ipv4.conf.default.accept_redirects": "0",
    "net.ipv4.conf.all.log_martians": "1",
    "net.ipv4.conf.default.log_martians": "1",
    "net.ipv4.conf.all.secure_redirects": "0",
    "net.ipv4.conf.default.secure_redirects": "0",
    "net.ipv4.conf.all.rp_filter": "1",  # an interface's 2 (loose, systemd's default) has priority
    "net.ipv4.conf.all.send_redirects": "0",
    "net.ipv4.conf.default.send_redirects": "0",
    "net.ipv4.icmp_echo_ignore_broadcasts": "1",
    "net.ipv4.icmp_ignore_bogus_error_responses": "1",
    "net.ipv4.tcp_rfc1337": "1",
    "net.ipv4.tcp_syncookies": "1",
    "net.ipv6.conf.all.accept_redirects": "0",
    "net.ipv6.conf.all.accept_source_route": "0",
    "net.ipv6.conf.default.accept_redirects": "0",
    "net.ipv6.conf.default.accept_source_route": "0",
    "vm.swappiness": "10",
}


UNUSED_MODULES = ("dccp", "sctp", "rds", "tipc", "usb-storage", "firewire-ohci", "firewire-core")


@deploy("Name, time and language")
def identity(server: Server, settings: Host, machine: Machine) -> None:
    system.called(name=f"Set the host name {server.name}", hostname=server.name)
    system.generated_locale(name=f"Generate the locale {settings.locale}", locale=settings.locale)
    files.tree(
        name=f"Set the time zone {settings.timezone} and the locale {settings.locale}",
        tree="locale",
        nodes=locale_files(settings, machine),
        # Debian 13 has legacy names, like US/Pacific, in another package: without it the link would
        # be broken, which means UTC.
        check=Checker(
            "Debian's tzdata", f"ls /usr/share/zoneinfo/{settings.timezone} >/dev/null", ()
        ),
    )
    # systemd's condition skips this in a container, whose host keeps the clock.
    running(name="Synchronize the clock", unit=TIMESYNCD)


def locale_files(settings: Host, machine: Machine) -> list[Node]:
    nodes: list[Node] = [
        Link("/etc/localtime", f"/usr/share/zoneinfo/{settings.timezone}"),
        File("/etc/locale.conf", f"LANG={settings.locale}\n"),
        # PAM reads this path; Debian 13 already has the link.
        Link("/etc/default/locale", "../locale.conf"),
    ]
    if machine.version == "12":
        nodes.append(File("/etc/timezone", f"{settings.timezone}\n"))
    return nodes


@deploy("Journal")
def journal(settings: Host) -> None:
    written = files.tree(
        name=f"Write {JOURNAL}",
        tree="journald",
        nodes=[
            Directory(JOURNAL),
            file(f"{JOURNAL}/stagecraft.conf", "systemd/journald.conf.j2", settings=settings),
        ],
    )
    running(
        name="Run journald",
        unit=JOURNALD,
        watched=[JOURNAL],
        after=[written],
        refresh=RESTART,
    )


@deploy("Kernel")
def kernel() -> None:
    files.tree(
        name="Write kernel settings",
        tree="kernel",
        nodes=[
            file("/etc/sysctl.d/60-stagecraft.conf", "sysctl/stagecraft.conf.j2", settings=KERNEL),
            Directory("/etc/modprobe.d"),
            file(
                "/etc/modprobe.d/stagecraft.conf",
                "modprobe/stagecraft.conf.j2",
                modules=UNUSED_MODULES,
            ),
        ],
    )
    system.kernel_settings(name="Set the running kernel", settings=KERNEL)


@deploy("Core dumps")
def core_dumps() -> None:
    written = files.tree(
        name="Write limits for sessions and services",
        tree="core-dumps",
        nodes=[
            file("/etc/security/limits.d/stagecraft.conf", "limits/core-dumps.conf.j2"),
            file("/etc/profile.d/stagecraft.sh", "limits/core-dumps.sh.j2"),
            Directory(COREDUMP),
            file(f"{COREDUMP}/stagecraft.conf", "systemd/coredump.conf.j2"),
            Directory(MANAGER),
            file(f"{MANAGER}/stagecraft.conf", "systemd/core-dumps.conf.j2"),
        ],
    )
    system.no_core_dumps(name="Make systemd read its limits", after=[written])


@deploy("Swap")
def swap(settings: Host, machine: Machine) -> None:
    """Does nothing if there is swap, or in a container, which cannot have any."""
    megabytes = swap_megabytes(settings.swap, machine)
    found: System = host.get_fact(SystemFact)
    if not megabytes or found.container:
        return
    system.swap_file(
        name=f"Create {SWAP_FILE} with {megabytes} MB", path=SWAP_FILE, megabytes=megabytes
    )
    written = files.tree(
        name=f"Write {SWAP_UNIT}",
        tree="swap",
        nodes=[file(SWAP_UNIT, "systemd/swapfile.swap.j2", swap_file=SWAP_FILE)],
    )
    running(name="Use the swap file", unit="swapfile.swap", after=[written])
