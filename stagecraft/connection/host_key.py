"""The server's host key, pinned at first contact and compared on every later one."""

from dataclasses import dataclass
from pathlib import Path

from pyinfra.api.exceptions import ConnectError


@dataclass(frozen=True)
class HostKey:
    name: str
    base64: str
    fingerprint: str

    def __str__(self) -> str:
        """In the format of known_hosts."""
        return f"{self.name} {self.base64}"

    @property
    def described(self) -> str:
        """In the format of ssh-keygen -l."""
        return f"{self.name} {self.fingerprint}"

    @property
    def kind(self) -> str:
        """In the names of sshd's key files."""
        return self.name.removeprefix("ssh-").partition("-")[0]


class HostKeyChanged(ConnectError):
    """The server offered another key than the pinned one; the connection was closed."""


def changed(name: str, offered: HostKey, pinned: HostKey, pins: Path) -> str:
    """The error message for a host key that differs from the pinned one."""
    line = line_of(pinned, pins)
    place = f"{pins}, line {line}" if line else str(pins)
    return f"""\
{name} has another host key than the one pinned for it; nothing was sent to it.
    pinned:  {pinned.described}, in {place}
    offered: {offered.described}
  Was the server reinstalled? Then its console or the provider's panel shows the offered one, too:
    ssh-keygen -lf /etc/ssh/ssh_host_{offered.kind}_key.pub
  In that case forget the old one, and bootstrap the server again:
    ssh-keygen -f {pins} -R '{name}'
  If it was not, somebody else answers there: do not log in, and ask the provider."""


def line_of(key: HostKey, pins: Path) -> int | None:
    lines = pins.read_text(errors="replace").splitlines() if pins.exists() else []
    return next((n for n, line in enumerate(lines, 1) if key.base64 in line.split()), None)
