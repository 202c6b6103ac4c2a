"""Proof that an account can log in: a new connection, as the next run will open one."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from paramiko import SSHException
from pyinfra import logger
from pyinfra.api.command import StringCommand
from pyinfra.api.exceptions import ConnectError
from pyinfra.connectors.ssh import SSHConnector

from stagecraft.connection.host_key import HostKeyChanged
from stagecraft.connection.transport import transport_of

PATIENCE = 15
"""Seconds in which sshd must answer: it has just been told to read its files again."""

UNREACHABLE = ("Could not connect", "SSH error", "EOF error")
"""How pyinfra's errors begin when the next attempt may well work."""

UNDO = StringCommand("sh /var/lib/stagecraft/revert/revert")


@dataclass(frozen=True)
class Login:
    """The account that the next run uses; without a port, the one that an ssh_config names."""

    user: str
    port: int | None

    @property
    def where(self) -> str:
        return f"as {self.user} on port {self.port}" if self.port else f"as {self.user}"


def proven(state: Any, host: Any, login: Login, host_key: str) -> bool:
    """Whether a new connection of this account gets in and becomes root. If not, says why, and
    has the server undo the armed change at once. pyinfra passes `state` and `host` by name."""
    problem = problem_with(login, host_key, host)
    if not problem:
        return True
    logger.error(f"{host.print_prefix}{problem}")
    undone, _ = host.run_shell_command(UNDO, _sudo=bool(host.data.get("_sudo")))
    logger.error(
        host.print_prefix
        + (
            "sshd and the firewall are what they were before; the old way in is open"
            if undone
            else "this connection is gone, too: the server undoes the change within a minute"
        )
    )
    return False


def problem_with(login: Login, host_key: str, host: Any) -> str | None:
    """Why nobody can log in like this; None when it works."""
    connector = SSHConnector(host.state, host)
    connector.data |= {"ssh_user": login.user, "ssh_port": login.port or 0, "ssh_password": ""}
    try:
        connect(connector, time.monotonic() + PATIENCE)
        return wrong_with(connector, login, host_key)
    except (HostKeyChanged, OSError, SSHException) as error:
        return f"no login {login.where}: {error}"
    except ConnectError as error:
        return f"no login {login.where}: {error}. {advice(str(error), login)}"
    finally:
        if connector.client:
            connector.client.close()


def connect(connector: SSHConnector, deadline: float) -> None:
    """Raises the last ConnectError when the deadline (of time.monotonic) has passed."""
    while True:
        try:
            return connector.connect()
        except ConnectError as error:
            if not str(error).startswith(UNREACHABLE) or time.monotonic() > deadline:
                raise
            time.sleep(0.2)


def wrong_with(connector: SSHConnector, login: Login, host_key: str) -> str | None:
    transport = transport_of(connector)
    if transport is None:
        return "the connection is gone again"
    key = transport.get_remote_server_key()
    if f"{key.get_name()} {key.get_base64()}" != host_key:
        return f"port {login.port} is answered with another host key, by another machine"
    channel = transport.open_session(timeout=PATIENCE)
    channel.exec_command("true" if login.user == "root" else "sudo -n true")
    if channel.recv_exit_status() != 0:
        return f"{login.user} logs in, but `sudo -n true` fails for that account"
    return None


def advice(error: str, login: Login) -> str:
    if error.startswith("Authentication"):
        return (
            f"None of your SSH keys opens {login.user}: list your public key in"
            " group_data/all.yml under host: admins: or deploy:"
        )
    return "Does a firewall of the provider, or another one on the server, keep that port closed?"
