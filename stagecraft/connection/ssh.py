"""SSH by pyinfra and paramiko; no other module depends on their SSH internals."""

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
"""Errors of a connection, or of a file used for one."""


def adopt() -> None:
    """Makes pyinfra connect with the classes in this module."""
    # pyinfra reports connection errors in one line; paramiko's thread would add a traceback.
    logging.getLogger("paramiko").addHandler(logging.NullHandler())
    client.ProxyCommand = EndedProxyCommand  # type: ignore[attr-defined]
    ssh.SSHClient = PinningClient  # type: ignore[attr-defined]


class EndedProxyCommand(ProxyCommand):
    """paramiko's, without the traceback of its thread when the command exits."""

    @override
    def close(self) -> None:
        with suppress(ProcessLookupError):
            super().close()


class PinningClient(client.SSHClient):
    """pyinfra's client with another message for a changed host key: its advice is for
    ~/.ssh/known_hosts, whichever file has the key. Raises HostKeyChanged."""

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
        """How the ProxyCommand ended, if there is one and it has ended."""
        command = getattr(self, "_ssh_config", {}).get("sock")
        if not isinstance(command, ProxyCommand) or command.process.poll() is None:
            return None
        return f"ProxyCommand {shlex.join(command.cmd)} ended with {command.process.returncode}"


def without_delay(connection: Any, **options: Any) -> Transport:
    """paramiko's connection with TCP_NODELAY."""
    if isinstance(connection, socket.socket):  # not with a ProxyCommand or a ProxyJump
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return Transport(connection, **options)


CHUNK = 1 << 16
"""In bytes. For every 8 KB, paramiko's readline searches all that it has for a line end."""


class Session:
    """A command that runs on a server until it ends or this is closed or garbage-collected."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._received = b""

    def send(self, text: bytes) -> None:
        """Raises OSError if the command no longer reads."""
        self._channel.sendall(text)

    def line(self) -> bytes:
        """The next line of output; at its end, possibly without a newline. Raises OSError."""
        parts = [self._received]
        while b"\n" not in parts[-1] and (received := self._channel.recv(CHUNK)):
            parts.append(received)
        last, newline, self._received = parts.pop().partition(b"\n")
        return b"".join([*parts, last, newline])

    def complaint(self) -> str:
        """All of its standard error, after it has ended."""
        return self._channel.makefile_stderr().read().decode().strip()

    def status(self) -> int:
        """Waits for its end."""
        return self._channel.recv_exit_status()

    def close(self) -> None:
        self._channel.close()


def begin(connector: object, command: str, patience: float | None = None) -> Session | None:
    """Starts the command; None if pyinfra is not connected to the host by SSH. `patience` limits
    the wait for the server's reply, in seconds. Raises SSHError if it refuses."""
    transport = _transport(connector)
    if transport is None:
        return None
    channel = transport.open_session(timeout=patience)
    channel.exec_command(command)
    return Session(channel)


def host_key_of(connector: object) -> HostKey | None:
    """The key that the server proved to have; None in the same cases as `begin`."""
    transport = _transport(connector)
    return _host_key(transport.get_remote_server_key()) if transport else None


def unlock(state: Any, key: str) -> None:
    """Asks for the passphrase of a private key, for the rest of the run. Raises PyinfraError,
    SSHError, OSError and EOFError for a key that cannot be unlocked."""
    get_private_key(state, key, "")


def usual_keys(connector: SSHConnector) -> list[str]:
    """The keys to try if none is named."""
    config = client.get_ssh_config(connector.data["ssh_config_file"])
    name = connector.data["ssh_hostname"] or connector.host.name
    files = config.lookup(name).get("identityfile", []) if config else []
    usual = [f"~/.ssh/id_{kind}" for kind in ("rsa", "ecdsa", "ed25519")]
    found = [path for path in [*files, *usual] if Path(path).expanduser().is_file()]
    return [*(f"{key.comment or key.fingerprint} (agent)" for key in Agent().get_keys()), *found]


def parsed(ssh_config: str | Path) -> SSHConfig:
    """Raises SSHError, LookupError, OSError and ValueError for an invalid file."""
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
