"""What makes a bare tree one server: its name, its address, its keys."""

import re
from fnmatch import fnmatch
from pathlib import Path
from tempfile import TemporaryDirectory

from lab import inside, network
from lab.commands import NspawnError, run

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


HOST_KEY = re.compile(r"ssh-ed25519 [A-Za-z0-9+/=]+")


def name(root: Path, hostname: str) -> None:
    """Ensures the host name and an identity of the tree's own: machine id and SSH host keys."""
    inside.write(root, "etc/hostname", f"{hostname}\n")
    inside.write(root, "etc/hosts", HOSTS.format(name=hostname))
    # Empty asks systemd for a new id; "uninitialized" would also reset which units are enabled.
    inside.write(root, "etc/machine-id", "")
    for file in inside.names(root, "etc/ssh"):
        if fnmatch(file, "ssh_host_*_key*"):
            inside.remove(root, f"etc/ssh/{file}")
    with TemporaryDirectory() as directory:
        new = Path(directory, "etc/ssh")
        new.mkdir(parents=True)
        run("ssh-keygen", "-A", "-f", directory)
        for key in new.iterdir():
            mode = 0o644 if key.suffix == ".pub" else 0o600
            inside.write(root, f"etc/ssh/{key.name}", key.read_text(), mode)


def admit(root: Path, public_key: Path) -> None:
    """Ensures that root may log in with this key, and no other."""
    inside.make_directory(root, "root/.ssh", 0o700)
    inside.write(root, "root/.ssh/authorized_keys", public_key.read_text())


def connect(root: Path, address: str) -> None:
    """Ensures that the tree boots with this address and this machine's name servers."""
    units, unit = "etc/systemd/system", "host0.service"
    inside.write(root, f"{units}/{unit}", NETWORK_UNIT.format(address=address))
    inside.make_directory(root, f"{units}/multi-user.target.wants")
    inside.link(root, f"{units}/multi-user.target.wants/{unit}", f"/{units}/{unit}")
    resolver = next(path for path in RESOLVERS if path.exists())
    inside.write(root, "etc/resolv.conf", resolver.read_text())


def host_key(root: Path) -> str:
    """The public ed25519 host key, known from the disk and so never taken on trust."""
    key = HOST_KEY.match(inside.read(root, "etc/ssh/ssh_host_ed25519_key.pub"))
    if not key:
        raise NspawnError(f"{root}: /etc/ssh/ssh_host_ed25519_key.pub holds no ed25519 key")
    return key[0]


def suite(root: Path) -> str:
    """Debian's name for the release in the tree."""
    release = inside.read(root, "etc/os-release")
    found = re.search(r"^VERSION_CODENAME=(\w+)$", release, re.MULTILINE)
    return found[1] if found else "unknown"


def login(root: Path) -> str:
    """The account to log in with: `deploy` once bootstrap.py has turned all others away, `debian`
    where the image has it, as cloud images do."""
    if inside.exists(root, "etc/ssh/authorized_keys.d/deploy"):
        return "deploy"
    return "debian" if inside.exists(root, "home/debian") else "root"
