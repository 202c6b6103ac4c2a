"""Proves that an account can log in, with a new connection like that of the next run."""

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
"""Seconds to wait for sshd, which is just reloading its configuration."""

UNREACHABLE = ("Could not connect", "SSH error", "EOF error")
"""Prefixes of pyinfra's errors after which another attempt may succeed."""

UNDO = StringCommand("systemctl start stagecraft-revert.service")


@dataclass(frozen=True)
class Login:
    """The account and port of the next run. Without a port, that of the ssh_config.

    `keys` are the operator's private keys, by file name, in the order in which they are tried; an
    empty name stands for the agent's and the usual ones. `admitted` are descriptions of the public
    keys that are accepted for the account.
    """

    user: str
    port: int | None
    keys: tuple[str, ...] = ("",)
    admitted: tuple[str, ...] = ()

    @property
    def where(self) -> str:
        return f"as {self.user} on port {self.port}" if self.port else f"as {self.user}"


def proven(state: Any, host: Any, login: Login, host_key: str) -> bool:
    """Whether this account can log in over a new connection and become root. If not, says why and
    reverts the pending change at once. pyinfra passes `state` and `host` by name."""
    problem = problem_with(login, host_key, host)
    if not problem:
        return True
    logger.error(f"{host.print_prefix}{problem}")
    undone, _ = host.run_shell_command(UNDO, _sudo=bool(host.data.get("_sudo")))
    logger.error(
        host.print_prefix
        + (
            "sshd and the firewall were reverted; the old login works"
            if undone
            else "this run could not revert the change: the server tries again within a minute and"
            " at its next boot"
        )
    )
    return False


def unlock(state: Any, login: Login) -> None:
    """Asks for the passphrases before the time limit of a change starts. Raises ServerError."""
    for key in filter(None, login.keys):
        try:
            ssh.unlock(state, key)
        except (PyinfraError, ssh.SSHError, OSError, EOFError) as error:
            message = f"{key}, for the login {login.where}, cannot be unlocked: {error}"
            raise ServerError(message) from error


def problem_with(login: Login, host_key: str, host: Any) -> str | None:
    """Why this login fails; None if it works."""
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
            return f"login {login.where} failed: {error}"
        except ConnectError as error:
            refused = error
            if not refusal(error):
                break
        finally:
            if connector.client:
                connector.client.close()
    return f"login {login.where} failed: {refused}. {advice(refused, login, tried)}"


def connect(connector: SSHConnector, deadline: float) -> None:
    """Retries until the deadline (time.monotonic), then raises the last ConnectError."""
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
        return f"port {login.port} has another host key: another machine answers there"
    become_root = "true" if login.user == "root" else "sudo -n true"
    session = ssh.begin(connector, become_root, PATIENCE)
    if session is None:
        return "the connection was closed"
    if session.status() != 0:
        return f"{login.user} can log in, but `sudo -n true` fails for this account"
    return None


def refusal(error: ConnectError) -> bool:
    """Whether the server refused the keys, or there was no key to offer."""
    return str(error).startswith("Authentication") or "No authentication methods" in str(error)


def advice(error: ConnectError, login: Login, tried: Sequence[str]) -> str:
    if not refusal(error):
        return "Check whether a firewall, on the server or the provider's, blocks this port"
    return (
        f"None of your SSH keys is accepted for {login.user}; tried:"
        f" {', '.join(tried) or 'you have none'}. Accepted keys: {', '.join(login.admitted)}. Set"
        " ssh_key: in group_data/all.yml to the private key of one of them, or add your own public"
        " key there under host: admins: or deploy:"
    )
