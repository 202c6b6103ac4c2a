"""pyinfra's own settings; it runs this file before the inventory."""

from pyinfra.context import config

from stagecraft.inventory import refuse_misread_arguments

config.REQUIRE_PYINFRA_VERSION = "~=3.10.0"  # stagecraft/ leans on details of this series

refuse_misread_arguments()
