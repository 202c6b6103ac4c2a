"""One run per server at a time."""

from __future__ import annotations

import getpass
import os
import shlex
import socket
from pathlib import Path
from typing import Any

from pyinfra.api.command import StringCommand
from pyinfra.connectors.ssh import SSHConnector
from pyinfra.connectors.util import make_unix_command_for_host
from pyinfra.context import host

from stagecraft.errors import ServerError

HOLD_LOCK = Path(__file__).with_name("hold_lock.sh").read_text()

_held: list[Any] = []  # the channels, open for as long as this process lives


def lock() -> None:
    """Ensures that no other run changes this server until this one has ended, be it by SIGKILL.

    Does nothing for a run that only plans. Raises ServerError with the holder and the time.
    """
    connector = host.connector
    if host.data.only_plans or not isinstance(connector, SSHConnector) or not connector.client:
        return
    stdin, stdout, _ = connector.client.exec_command(hold_lock())
    stdin.write(f"{getpass.getuser()}@{socket.gethostname()} (process {os.getpid()})\n")
    stdin.flush()
    answer = stdout.readline().strip()
    if answer != "locked":
        raise ServerError(
            f"{host.name} is being changed by another run, of {answer}; try again when it is over"
        )
    _held.extend([stdin, stdout])


def hold_lock() -> str:
    command = StringCommand("sh", "-c", shlex.quote(HOLD_LOCK))
    sudo = bool(host.data.get("_sudo"))
    text: str = make_unix_command_for_host(host.state, host, command, _sudo=sudo).get_raw_value()
    return text
