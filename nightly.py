"""Installs the nightly check on the machine that runs it: pyinfra @local nightly.py

With `--data checkout=/srv/stagecraft`, for another checkout than this one, and
`--data environments=production,staging`, for not all whose servers are no throwaways.
"""

if __name__ == "__main__":
    raise SystemExit("pyinfra runs this: .venv/bin/pyinfra @local nightly.py")

from pyinfra.context import host

from tasks.manifest import begin, complete
from tasks.nightly import nightly, wanted

_check = wanted(host.data)
begin(_check.name)
nightly(_check)
complete(_check.name)
