"""One run per server at a time."""

import getpass
import os
import shlex
import socket
from pathlib import Path

from pyinfra.api.command import StringCommand
from pyinfra.connectors.util import make_unix_command_for_host
from pyinfra.context import host

from stagecraft.connection.connector import FastSSHConnector
from stagecraft.connection.ssh import begin
from stagecraft.errors import ServerError
from stagecraft.run import this_run

HOLD_LOCK = Path(__file__).with_name("hold_lock.sh").read_text()


def lock() -> None:
    """Ensures that no other run changes this server until this one has ended, even by SIGKILL. Does
    nothing for a run that only plans. Raises ServerError with the holder and the time, or with the
    server's message if it cannot be locked."""
    if host.data.only_plans:
        return
    session = begin(host.connector, hold_lock(f"{getpass.getuser()}@{socket.gethostname()}"))
    if session is None:
        return
    answer = session.line().decode().strip()
    if answer != "locked":
        complaint, failed = session.complaint(), session.status() != 0
        session.close()
        raise ServerError(
            f"{host.name} cannot be locked, so nothing was changed: {complaint}"
            if failed
            else f"another run is changing {host.name}: {answer}; try again when it has ended"
        )
    this_run().lock = session
    if isinstance(host.connector, FastSSHConnector):
        host.connector.read_anew()  # another run may have ended since this one connected


def hold_lock(account: str) -> str:
    holder = f"{account} (process {os.getpid()})"
    command = StringCommand("sh", "-c", shlex.quote(HOLD_LOCK), "lock", shlex.quote(holder))
    sudo = bool(host.data.get("_sudo"))
    text: str = make_unix_command_for_host(host.state, host, command, _sudo=sudo).get_raw_value()
    return text
