"""First contact with a new server: pyinfra --user root inventories/staging.py bootstrap.py"""

if __name__ == "__main__":
    raise SystemExit(
        "pyinfra runs this: .venv/bin/pyinfra --user root inventories/staging.py bootstrap.py"
    )

from pathlib import Path

from pyinfra.context import host as server

from stagecraft.known_records import known_records
from stagecraft.lock import lock
from stagecraft.settings import environment_of
from tasks.base import base
from tasks.clashes import neighbours_of
from tasks.host import host
from tasks.machine import bare_machine
from tasks.manifest import as_found, begin, complete
from tasks.packages import users

_environment = environment_of(server.data)
_machine = bare_machine(_environment)
lock()

begin(_environment.name, whole=False)
as_found(known_records(_environment.server, Path(server.data.root)))
base(users(_environment, neighbours_of(_environment)))
host(_environment.server, _machine)
complete("the machine")
