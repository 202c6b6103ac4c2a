"""First contact with a new server: pyinfra --user root inventories/staging.py bootstrap.py"""

from pyinfra.context import host as server

from stagecraft.lock import lock
from stagecraft.settings import environment_of
from tasks.base import base
from tasks.host import host
from tasks.machine import bare_machine
from tasks.manifest import as_found, begin

_environment = environment_of(server.data)
_machine = bare_machine(_environment)
lock()

begin(_environment.name)
as_found()
base()
host(_environment.server, _machine)
