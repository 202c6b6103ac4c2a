"""The kernel of servers with `host:`: its settings (sysctl), and modules that it does not load."""

from pyinfra.api.deploy import deploy

from stagecraft.operations import files, system
from stagecraft.operations.nodes import Directory
from stagecraft.render import file

SYSCTL = {
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


@deploy("Kernel")
def kernel() -> None:
    files.tree(
        name="Write kernel settings",
        tree="kernel",
        nodes=[
            file("/etc/sysctl.d/60-stagecraft.conf", "sysctl/stagecraft.conf.j2", settings=SYSCTL),
            Directory("/etc/modprobe.d"),
            file(
                "/etc/modprobe.d/stagecraft.conf",
                "modprobe/stagecraft.conf.j2",
                modules=UNUSED_MODULES,
            ),
        ],
    )
    system.kernel_settings(name="Set the running kernel", settings=SYSCTL)
