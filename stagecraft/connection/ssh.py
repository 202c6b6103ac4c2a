"""SSH, which pyinfra speaks by paramiko: what knows either of them is here, and nowhere else."""

from __future__ import annotations

import logging
import shlex
import socket
from contextlib import suppress
from pathlib import Path
from typing import Any

from paramiko import (
    Agent,
    AuthenticationException,
    BadHostKeyException,
    Channel,
    PKey,
    ProxyCommand,
    SSHException,
    Transport,
)
from pyinfra.api.exceptions import ConnectError
from pyinfra.connectors import ssh
from pyinfra.connectors.ssh import SSHConnector
from pyinfra.connectors.ssh_util import get_private_key
from pyinfra.connectors.sshuserclient import client
from pyinfra.connectors.sshuserclient.config import SSHConfig
from typing_extensions import override

from stagecraft.connection.host_key import HostKey, HostKeyChanged, changed
from stagecraft.connection.optimizations import Optimization, optimizations

SSHError = SSHException
"""What goes wrong in a connection, or in a file that is to be used for one."""


def adopt() -> None:
    """Has pyinfra connect as the classes here do."""
    # What goes wrong in a connection, pyinfra says in a line; paramiko's thread adds a traceback.
    logging.getLogger("paramiko").addHandler(logging.NullHandler())
    client.ProxyCommand = EndedProxyCommand  # type: ignore[attr-defined]
    ssh.SSHClient = PinningClient  # type: ignore[attr-defined]


class EndedProxyCommand(ProxyCommand):
    """paramiko's, whose thread ends with a traceback where the command has ended by itself."""

    @override
    def close(self) -> None:
        with suppress(ProcessLookupError):
            super().close()


class PinningClient(client.SSHClient):
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
        if Optimization.NODELAY in optimizations():
            arguments["transport_factory"] = without_delay
        try:
            super().connect(hostname, **arguments)  # type: ignore[no-untyped-call]
        except BadHostKeyException as error:
            port = self._ssh_config.get("port", 22)
            name = error.hostname if port == 22 else f"[{error.hostname}]:{port}"
            pins = Path(self._host_keys_filename)
            keys = (_host_key(error.key), _host_key(error.expected_key))
            raise HostKeyChanged(changed(name, *keys, pins)) from error
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


def without_delay(connection: Any, **options: Any) -> Transport:
    """paramiko's connection, which sends at once what it has to send."""
    if isinstance(connection, socket.socket):  # not so through a ProxyCommand or a ProxyJump
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return Transport(connection, **options)


CHUNK = 1 << 16
"""Bytes. paramiko's readline looks for the end in all that it has, for each 8 KB that come."""


class Session:
    """A command that runs on a server until its end, or until this is closed or forgotten."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._received = b""

    def send(self, text: bytes) -> None:
        """Raises OSError where nobody takes it."""
        self._channel.sendall(text)

    def line(self) -> bytes:
        """The next one that it prints, without a newline where its output ends. Raises OSError."""
        parts = [self._received]
        while b"\n" not in parts[-1] and (received := self._channel.recv(CHUNK)):
            parts.append(received)
        last, newline, self._received = parts.pop().partition(b"\n")
        return b"".join([*parts, last, newline])

    def complaint(self) -> str:
        """All that it says on standard error, when it has ended."""
        return self._channel.makefile_stderr().read().decode().strip()

    def status(self) -> int:
        """Waits for its end."""
        return self._channel.recv_exit_status()

    def close(self) -> None:
        self._channel.close()


def begin(connector: object, command: str, patience: float | None = None) -> Session | None:
    """Has the server run the command; None for a host that pyinfra does not reach by SSH, or no
    more. `patience` is for the server's answer, in seconds. Raises SSHError where it refuses."""
    transport = _transport(connector)
    if transport is None:
        return None
    channel = transport.open_session(timeout=patience)
    channel.exec_command(command)
    return Session(channel)


def host_key_of(connector: object) -> HostKey | None:
    """The key by which the server has proven who it is; None where `begin` gives none."""
    transport = _transport(connector)
    return _host_key(transport.get_remote_server_key()) if transport else None


def unlock(state: Any, key: str) -> None:
    """Asks for the passphrase of a private key, for the rest of the run. Raises PyinfraError,
    SSHError, OSError and EOFError for one that does not open."""
    get_private_key(state, key, "")


def usual_keys(connector: SSHConnector) -> list[str]:
    """What is tried where no key is named."""
    config = client.get_ssh_config(connector.data["ssh_config_file"])
    name = connector.data["ssh_hostname"] or connector.host.name
    files = config.lookup(name).get("identityfile", []) if config else []
    usual = [f"~/.ssh/id_{kind}" for kind in ("rsa", "ecdsa", "ed25519")]
    found = [path for path in [*files, *usual] if Path(path).expanduser().is_file()]
    return [*(f"{key.comment or key.fingerprint} (agent)" for key in Agent().get_keys()), *found]


def parsed(ssh_config: str | Path) -> SSHConfig:
    """Raises SSHError, LookupError, OSError and ValueError for a file that is none."""
    config = SSHConfig()
    with Path(ssh_config).open(encoding="utf-8") as file:
        config.parse(file)  # type: ignore[no-untyped-call]
    return config


def _host_key(key: PKey) -> HostKey:
    return HostKey(key.get_name(), key.get_base64(), key.fingerprint)


def _transport(connector: object) -> Transport | None:
    if not isinstance(connector, SSHConnector) or connector.client is None:
        return None
    return connector.client.get_transport()
