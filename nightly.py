"""Installs the nightly check on the machine that runs it: pyinfra @local nightly.py

`--data checkout=/srv/stagecraft` uses another checkout, `--data environments=production,staging`
checks only these environments instead of all except those of throwaway servers.
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
