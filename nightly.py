"""Installs the nightly check on the machine that runs it: pyinfra @local nightly.py

With `--data checkout=/srv/stagecraft`, for another checkout than this one, and
`--data inventories=inventories/production.py,…`, for not all that are no throwaways.
"""

from pyinfra.context import host

from tasks.manifest import begin, complete
from tasks.nightly import nightly, wanted

_check = wanted(host.data)
begin(_check.name)
nightly(_check)
complete(_check.name, {})
