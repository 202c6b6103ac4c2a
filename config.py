"""pyinfra's configuration, which it runs before the inventory."""

import signal

from pyinfra import logger
from pyinfra.api.output import set_echo
from pyinfra.context import config
from pyinfra_cli import cli  # type: ignore[import-untyped]

from stagecraft.program import end_interrupted, uninterrupted

signal.signal(signal.SIGINT, end_interrupted)

with uninterrupted():
    from stagecraft.connection import ssh
    from stagecraft.harmless import Harmless, echo
    from stagecraft.inventory import confirm, refuse_misread_arguments

config.REQUIRE_PYINFRA_VERSION = "~=3.10.0"  # stagecraft/ depends on details of this series

ssh.adopt()
set_echo(echo)
logger.addFilter(Harmless())
cli._do_confirm = confirm
refuse_misread_arguments()
