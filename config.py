"""pyinfra's own settings; it runs this file before the inventory."""

import logging
import signal

from pyinfra import logger
from pyinfra.api.output import set_echo
from pyinfra.connectors import ssh
from pyinfra.connectors.sshuserclient import client
from pyinfra.context import config
from pyinfra_cli import cli  # type: ignore[import-untyped]

from stagecraft.program import end_interrupted, uninterrupted

signal.signal(signal.SIGINT, end_interrupted)

with uninterrupted():
    from stagecraft.connection.host_key import PinningClient
    from stagecraft.connection.ssh_config import EndedProxyCommand
    from stagecraft.harmless import Harmless, echo
    from stagecraft.inventory import confirm, refuse_misread_arguments

config.REQUIRE_PYINFRA_VERSION = "~=3.10.0"  # stagecraft/ leans on details of this series

# What goes wrong in a connection, pyinfra says in a line; paramiko's thread adds a traceback.
logging.getLogger("paramiko").addHandler(logging.NullHandler())
set_echo(echo)
logger.addFilter(Harmless())
client.ProxyCommand = EndedProxyCommand  # type: ignore[misc]
ssh.SSHClient = PinningClient  # type: ignore[misc]
cli._do_confirm = confirm
refuse_misread_arguments()
