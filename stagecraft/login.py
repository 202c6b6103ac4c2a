"""Proof that an account can log in: a new connection, as the next run will open one."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pyinfra import logger
from pyinfra.api.command import StringCommand
from pyinfra.api.exceptions import ConnectError, PyinfraError
from pyinfra.connectors.ssh import SSHConnector

from stagecraft.connection import ssh
from stagecraft.connection.host_key import HostKeyChanged
from stagecraft.errors import ServerError

PATIENCE = 15
"""Seconds in which sshd must answer: it has just been told to read its files again."""

UNREACHABLE = ("Could not connect", "SSH error", "EOF error")
"""How pyinfra's errors begin when the next attempt may well work."""

UNDO = StringCommand("systemctl start stagecraft-revert.service")


@dataclass(frozen=True)
class Login:
    """The account that the next run uses; without a port, the one that an ssh_config names.

    `keys` are the private ones that its operator has, as their files are called, in the order in
    which they are tried; an empty name stands for the agent's and the usual ones. `admitted` are
    the public ones that open the account, in words.
    """

    user: str
    port: int | None
    keys: tuple[str, ...] = ("",)
    admitted: tuple[str, ...] = ()

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
            else "this run could not undo the change: the server tries by itself within a minute,"
            " and at its next start"
        )
    )
    return False


def unlock(state: Any, login: Login) -> None:
    """Asks for the passphrases of the keys, before the time for a change runs. Raises
    ServerError."""
    for key in filter(None, login.keys):
        try:
            ssh.unlock(state, key)
        except (PyinfraError, ssh.SSHError, OSError, EOFError) as error:
            raise ServerError(f"{key}, to log in {login.where}, does not open: {error}") from error


def problem_with(login: Login, host_key: str, host: Any) -> str | None:
    """Why nobody can log in like this; None when it works."""
    tried: list[str] = []
    for key in login.keys:
        connector = SSHConnector(host.state, host)
        connector.data |= {"ssh_user": login.user, "ssh_port": login.port or 0}
        connector.data |= {"ssh_key": key, "ssh_password": ""}
        tried += [key] if key else ssh.usual_keys(connector)
        try:
            connect(connector, time.monotonic() + PATIENCE)
            return wrong_with(connector, login, host_key)
        except (HostKeyChanged, OSError, ssh.SSHError) as error:
            return f"no login {login.where}: {error}"
        except ConnectError as error:
            refused = error
            if not refusal(error):
                break
        finally:
            if connector.client:
                connector.client.close()
    return f"no login {login.where}: {refused}. {advice(refused, login, tried)}"


def connect(connector: SSHConnector, deadline: float) -> None:
    """Raises the last ConnectError when the deadline (of time.monotonic) has passed."""
    while True:
        try:
            return connector.connect()
        except ConnectError as error:
            lasting = refusal(error) or not str(error).startswith(UNREACHABLE)
            if lasting or time.monotonic() > deadline:
                raise
            time.sleep(0.2)


def wrong_with(connector: SSHConnector, login: Login, host_key: str) -> str | None:
    found = ssh.host_key_of(connector)
    if found and str(found) != host_key:
        return f"port {login.port} is answered with another host key, by another machine"
    become_root = "true" if login.user == "root" else "sudo -n true"
    session = ssh.begin(connector, become_root, PATIENCE)
    if session is None:
        return "the connection is gone again"
    if session.status() != 0:
        return f"{login.user} logs in, but `sudo -n true` fails for that account"
    return None


def refusal(error: ConnectError) -> bool:
    """Whether the server wants another key, or there is none to offer."""
    return str(error).startswith("Authentication") or "No authentication methods" in str(error)


def advice(error: ConnectError, login: Login, tried: Sequence[str]) -> str:
    if not refusal(error):
        return (
            "Does a firewall of the provider, or another one on the server, keep that port closed?"
        )
    return (
        f"None of your SSH keys opens {login.user}; tried: {', '.join(tried) or 'you have none'}."
        f" The keys that open it: {', '.join(login.admitted)}. Name the private key of one of them"
        " in group_data/all.yml with ssh_key:, or list your own public key there under host:"
        " admins: or deploy:"
    )
