"""First contact with a new server: pyinfra --user root inventories/staging.py bootstrap.py"""

if __name__ == "__main__":
    raise SystemExit(
        "pyinfra runs this: .venv/bin/pyinfra --user root inventories/staging.py bootstrap.py"
    )

from pathlib import Path

from pyinfra.context import host as server

from stagecraft.known_records import known_records
from stagecraft.lock import lock
from stagecraft.run import this_run
from tasks.clashes import neighbours_of
from tasks.host import host
from tasks.machine import bare_machine
from tasks.manifest import as_found, begin, complete, first_contact
from tasks.packages import machine_packages

_run = this_run()
_run.machine = bare_machine(_run.environment)
lock()

begin(_run.environment.name, whole=False)
_known = known_records(_run.environment.server, Path(server.data.root))
_first = as_found(_known)
_run.neighbours = neighbours_of(_run.environment)
machine_packages()
if _first:
    first_contact(_known)
host()
complete("the machine")
