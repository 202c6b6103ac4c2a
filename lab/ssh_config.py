"""The SSH configuration that `ssh -F` and pyinfra read: every server by name, its key pinned."""

from pathlib import Path

from lab.commands import locked

HOST = """\
Host {name}
    HostName {address}
    User {user}
    IdentityFile {key}
    IdentitiesOnly yes
    UserKnownHostsFile {known_hosts}
    StrictHostKeyChecking yes
    LogLevel ERROR
"""


def write_host(directory: Path, *, address: str, user: str, key: Path, host_key: str) -> None:
    """Ensures that a server's own directory says how to reach it and how to know it."""
    known_hosts = directory / "known_hosts"
    known_hosts.write_text(f"{address} {host_key}\n")
    (directory / "ssh_config").write_text(
        HOST.format(
            name=directory.name, address=address, user=user, key=key, known_hosts=known_hosts
        )
    )


def collect(lab: Path) -> None:
    """Ensures one file with the hosts of all servers of the lab. Not an Include: some readers of
    SSH configurations do not know it."""
    with locked(lab / "locks" / "ssh_config"):
        hosts = (path.read_text() for path in sorted(lab.glob("servers/*/ssh_config")))
        partial = lab / "ssh_config.partial"
        partial.write_text("\n".join(hosts))
        partial.replace(lab / "ssh_config")
