"""pyinfra's own settings; it runs this file before the inventory."""

import signal

from pyinfra.connectors import ssh
from pyinfra.context import config

from stagecraft.connection.host_key import PinningClient
from stagecraft.inventory import end_interrupted, refuse_misread_arguments

config.REQUIRE_PYINFRA_VERSION = "~=3.10.0"  # stagecraft/ leans on details of this series

ssh.SSHClient = PinningClient  # type: ignore[misc]
refuse_misread_arguments()
signal.signal(signal.SIGINT, end_interrupted)
