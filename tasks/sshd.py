"""sshd: keys only, no root, the accounts of all.yml, modern algorithms."""

from dataclasses import dataclass

from pyinfra.api.deploy import deploy

from stagecraft.facts.access import CurrentAccess
from stagecraft.facts.machine import Machine
from stagecraft.operations import files
from stagecraft.operations.host_keys import generated
from stagecraft.operations.nodes import Absent, Directory, File, Link, Node
from stagecraft.operations.services import stopped
from stagecraft.paths import AUTHORIZED_KEYS, HOST_KEY, HOST_KEY_RSA
from stagecraft.render import file, origin_of, render
from stagecraft.settings import Host

DROP_IN_TEMPLATE = "sshd/stagecraft.conf.j2"
DROP_IN = "/etc/ssh/sshd_config.d/00-stagecraft.conf"
"""Sorted before 50-cloud-init.conf, in which providers allow passwords."""


@dataclass(frozen=True)
class Algorithms:
    """What ssh-audit's hardening policies allow, in their order (of 2026-11)."""

    kex: tuple[str, ...]
    rsa: bool
    ciphers: tuple[str, ...] = (
        "chacha20-poly1305@openssh.com",
        "aes256-gcm@openssh.com",
        "aes256-ctr",
        "aes192-ctr",
        "aes128-gcm@openssh.com",
        "aes128-ctr",
    )
    macs: tuple[str, ...] = (
        "hmac-sha2-256-etm@openssh.com",
        "hmac-sha2-512-etm@openssh.com",
        "umac-128-etm@openssh.com",
    )
    user_keys: tuple[str, ...] = (
        "ssh-ed25519",
        "sk-ssh-ed25519@openssh.com",
        "rsa-sha2-512",
        "rsa-sha2-256",
    )
    ca_signatures: tuple[str, ...] = (
        "ssh-ed25519",
        "sk-ssh-ed25519@openssh.com",
        "rsa-sha2-512",
        "rsa-sha2-256",
    )


CURVE25519 = ("curve25519-sha256", "curve25519-sha256@libssh.org")
SNTRUP = "sntrup761x25519-sha512@openssh.com"

ALGORITHMS = {
    "12": Algorithms(
        kex=(
            "sntrup761x25519-sha512",
            SNTRUP,
            *CURVE25519,
            "diffie-hellman-group16-sha512",
            "diffie-hellman-group18-sha512",
            "diffie-hellman-group-exchange-sha256",
        ),
        rsa=True,
    ),
    "13": Algorithms(
        kex=("mlkem768x25519-sha256", "sntrup761x25519-sha512", SNTRUP, *CURVE25519),
        rsa=False,
        macs=(
            "hmac-sha2-512-etm@openssh.com",
            "hmac-sha2-256-etm@openssh.com",
            "umac-128-etm@openssh.com",
        ),
    ),
}
"""By Debian's VERSION_ID. The policy for 12 wants an RSA host key and groups to exchange, too."""


@deploy("Host keys")
def host_keys(machine: Machine) -> None:
    generated(
        name="Generate sshd's host keys",
        keys=declared_host_keys(machine),
        moduli=ALGORITHMS[machine.version].rsa,
    )


UNIX_SOCKETS = ("sshd-unix-local.socket", "sshd-vsock.socket")
"""Sockets through which systemd, since version 256, lets every process and the hypervisor connect
to sshd, bypassing firewall and fail2ban."""


@deploy("sshd on TCP only")
def unix_sockets() -> None:
    files.tree(
        name="Mask systemd's own sockets of sshd",
        tree="sshd-sockets",
        nodes=[Link(f"/etc/systemd/system/{unit}", "/dev/null") for unit in UNIX_SOCKETS],
    )
    for unit in UNIX_SOCKETS:
        stopped(name=f"Close {unit}", unit=unit)


def declared_host_keys(machine: Machine) -> list[str]:
    return [HOST_KEY, *([HOST_KEY_RSA] if ALGORITHMS[machine.version].rsa else [])]


def nodes(port: int, settings: Host, machine: Machine, current: CurrentAccess) -> list[Node]:
    """All of our files for sshd. Keys of undeclared accounts are removed."""
    return [
        *authorized_keys(settings),
        *(
            Absent(f"{AUTHORIZED_KEYS}/{account}")
            for account in sorted(current.keys)
            if account not in settings.logins
        ),
        File(DROP_IN, drop_in([port], settings, machine), origin=origin_of(DROP_IN_TEMPLATE)),
    ]


def authorized_keys(settings: Host) -> list[Node]:
    return [
        Directory(AUTHORIZED_KEYS),
        *(
            file(
                f"{AUTHORIZED_KEYS}/{account}",
                "sshd/authorized_keys.j2",
                keys=settings.keys(account),
            )
            for account in settings.logins
        ),
    ]


def drop_in(ports: list[int], settings: Host, machine: Machine) -> str:
    return render(
        DROP_IN_TEMPLATE,
        ports=ports,
        accounts=settings.logins,
        authorized_keys=AUTHORIZED_KEYS,
        host_keys=declared_host_keys(machine),
        algorithms=ALGORITHMS[machine.version],
        machine=machine,
    )


def effective(text: str) -> dict[str, list[str]]:
    """What `sshd -T` prints of a configuration: names in lower case, an account on each line."""
    settings: dict[str, list[str]] = {}
    for line in text.splitlines():
        if line and not line.startswith("#"):
            name, _, value = line.partition(" ")
            values = value.split(" ") if name == "AllowUsers" else [value]
            settings.setdefault(name.lower(), []).extend(values)
    return settings


def transition(
    ports: list[int], settings: Host, machine: Machine, now: CurrentAccess
) -> list[Node]:
    """The new ports, keys and accounts in addition to the present ones."""
    files = now.settings.get("authorizedkeysfile", [""])[0].split()
    if files == [f"{AUTHORIZED_KEYS}/%u"]:  # ours already: only the port is new
        text = drop_in(ports, settings, machine)
        return [*authorized_keys(settings), File(DROP_IN, text)]
    allowed = now.settings.get("allowusers", [])
    return [
        *authorized_keys(settings),
        file(
            DROP_IN,
            "sshd/transition.conf.j2",
            ports=ports,
            authorized_keys_files=[*files, f"{AUTHORIZED_KEYS}/%u"],
            allowed=[*allowed, *settings.logins] if allowed else [],
        ),
    ]
