"""The server's host key: pinned at first contact, and compared with ever after."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

from paramiko import (
    AuthenticationException,
    BadHostKeyException,
    PKey,
    ProxyCommand,
    SSHException,
)
from pyinfra.api.exceptions import ConnectError
from pyinfra.connectors.sshuserclient.client import SSHClient
from typing_extensions import override


class HostKeyChanged(ConnectError):
    """Another key than the pinned one was offered, and the connection ended there."""


class PinningClient(SSHClient):
    """pyinfra's client, but for what is said of another key: pyinfra's advice is for
    ~/.ssh/known_hosts, whichever file the key is pinned in. Raises HostKeyChanged."""

    @override
    def parse_config(self, hostname: str, *arguments: Any, **options: Any) -> Any:
        """Logs in to jump hosts on the way. Raises ConnectError for one that cannot be used."""
        try:
            return super().parse_config(hostname, *arguments, **options)  # type: ignore[no-untyped-call]
        except (AuthenticationException, BadHostKeyException) as error:
            message = f"a jump host on the way to {hostname} cannot be used: {error}"
            raise ConnectError(message) from error

    @override
    def connect(self, hostname: str, **arguments: Any) -> None:  # type: ignore[override]
        try:
            super().connect(hostname, **arguments)  # type: ignore[no-untyped-call]
        except BadHostKeyException as error:
            port = self._ssh_config.get("port", 22)
            name = error.hostname if port == 22 else f"[{error.hostname}]:{port}"
            pins = Path(self._host_keys_filename)
            raise HostKeyChanged(changed(name, error.key, error.expected_key, pins)) from error
        except AuthenticationException:
            raise
        except SSHException as error:
            if ended := self._ended_command():
                raise ConnectError(ended) from error
            raise

    def _ended_command(self) -> str | None:
        """What became of the ProxyCommand, where there is one and it runs no more."""
        command = getattr(self, "_ssh_config", {}).get("sock")
        if not isinstance(command, ProxyCommand) or command.process.poll() is None:
            return None
        return f"ProxyCommand {shlex.join(command.cmd)} ended with {command.process.returncode}"


def changed(name: str, offered: PKey, pinned: PKey, pins: Path) -> str:
    """What there is to know of a host key that is not the pinned one, and to do."""
    line = line_of(pinned, pins)
    place = f"{pins}, line {line}" if line else str(pins)
    return f"""\
{name} has another host key than the one pinned for it; nothing was sent to it.
    pinned:  {described(pinned)}, in {place}
    offered: {described(offered)}
  Was the server reinstalled? Then its console or the provider's panel shows the offered one, too:
    ssh-keygen -lf /etc/ssh/ssh_host_{kind(offered)}_key.pub
  In that case forget the old one, and bootstrap the server again:
    ssh-keygen -f {pins} -R '{name}'
  If it was not, somebody else answers there: do not log in, and ask the provider."""


def line_of(key: PKey, pins: Path) -> int | None:
    lines = pins.read_text(errors="replace").splitlines() if pins.exists() else []
    return next((n for n, line in enumerate(lines, 1) if key.get_base64() in line.split()), None)


def described(key: PKey) -> str:
    """As ssh-keygen -l prints it."""
    return f"{key.get_name()} {key.fingerprint}"


def kind(key: PKey) -> str:
    """As sshd's key files are called."""
    return key.get_name().removeprefix("ssh-").partition("-")[0]
