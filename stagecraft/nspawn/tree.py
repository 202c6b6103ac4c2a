"""What makes a bare tree one server: its name, its address, its keys."""

import re
from pathlib import Path

from stagecraft.nspawn import network
from stagecraft.nspawn.commands import run

NETWORK_UNIT = f"""\
[Unit]
Description=The address that the provider gave this server
DefaultDependencies=no
After=sysinit.target
Before=network.target network-online.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=ip link set host0 up
ExecStart=ip address replace {{address}}/24 dev host0
ExecStart=ip route replace default via {network.GATEWAY}

[Install]
WantedBy=multi-user.target
"""

HOSTS = """\
127.0.0.1 localhost
127.0.1.1 {name}
::1 localhost ip6-localhost ip6-loopback
"""

# systemd-resolved's stub answers on this machine's loopback only; this file names who it asks.
RESOLVERS = (Path("/run/systemd/resolve/resolv.conf"), Path("/etc/resolv.conf"))


def name(root: Path, hostname: str) -> None:
    """Ensures the host name and an identity of the tree's own: machine id and SSH host keys."""
    (root / "etc/hostname").write_text(f"{hostname}\n")
    (root / "etc/hosts").write_text(HOSTS.format(name=hostname))
    # Empty asks systemd for a new id; "uninitialized" would also reset which units are enabled.
    (root / "etc/machine-id").write_text("")
    for key in (root / "etc/ssh").glob("ssh_host_*_key*"):
        key.unlink()
    run("ssh-keygen", "-A", "-f", str(root))


def admit(root: Path, public_key: Path) -> None:
    """Ensures that root may log in with this key, and no other."""
    directory = root / "root/.ssh"
    directory.mkdir(mode=0o700, exist_ok=True)
    (directory / "authorized_keys").write_text(public_key.read_text())


def connect(root: Path, address: str) -> None:
    """Ensures that the tree boots with this address and this machine's name servers."""
    unit = root / "etc/systemd/system/host0.service"
    unit.write_text(NETWORK_UNIT.format(address=address))
    wanted = root / "etc/systemd/system/multi-user.target.wants" / unit.name
    wanted.parent.mkdir(exist_ok=True)
    wanted.unlink(missing_ok=True)
    wanted.symlink_to(f"/etc/systemd/system/{unit.name}")
    resolver = next(path for path in RESOLVERS if path.exists())
    resolv_conf = root / "etc/resolv.conf"
    resolv_conf.unlink(missing_ok=True)
    resolv_conf.write_text(resolver.read_text())


def host_key(root: Path) -> str:
    """The public ed25519 host key, known from the disk and so never taken on trust."""
    return (root / "etc/ssh/ssh_host_ed25519_key.pub").read_text().strip()


def suite(root: Path) -> str:
    """Debian's name for the release in the tree."""
    release = (root / "etc/os-release").read_text()
    found = re.search(r"^VERSION_CODENAME=(\w+)$", release, re.MULTILINE)
    return found[1] if found else "unknown"


def login(root: Path) -> str:
    """The account to log in with: `deploy` once bootstrap.py has turned all others away, `debian`
    where the image has it, as cloud images do."""
    if (root / "etc/ssh/authorized_keys.d/deploy").exists():
        return "deploy"
    return "debian" if (root / "home/debian").is_dir() else "root"
