"""pyinfra's configuration, which it runs before the inventory."""

import gc
import signal
import sys

from pyinfra import logger
from pyinfra.api.output import set_echo
from pyinfra.context import config
from pyinfra_cli import cli  # type: ignore[import-untyped]

from stagecraft.program import end_interrupted, uninterrupted

signal.signal(signal.SIGINT, end_interrupted)

# pyinfra switches this off; each run would then compile all of stagecraft/ and tasks/ again.
sys.dont_write_bytecode = bool(sys.flags.dont_write_bytecode)

with uninterrupted():
    from stagecraft import faster_pyinfra
    from stagecraft.connection import ssh
    from stagecraft.harmless import Harmless, echo
    from stagecraft.inventory import confirm, refuse_misread_arguments

config.REQUIRE_PYINFRA_VERSION = "~=3.10.0"  # stagecraft/ depends on details of this series

ssh.adopt()
faster_pyinfra.adopt()
set_echo(echo)
logger.addFilter(Harmless())
cli._do_confirm = confirm
refuse_misread_arguments()
gc.freeze()  # what is loaded by now stays, so Python need not search it for garbage any more
