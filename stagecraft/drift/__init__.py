"""The nightly check: how a server differs from what is declared for it.

`command.py` starts a pyinfra for each inventory, which runs `check.py`, the list of all areas to
check. Results pass through three packages:

- `looking/` reads: the inventories, the plan of deploy.py, the server.
- `judging/` turns answers into findings: kind, severity, cause, since when, remedy, waiver. A new
  check is a `Kind` and a function there, and a line in `check.py`.
- `telling/` reports them: as text, as notifications, and in the history.

`findings.py` has the types that they share.
"""

from pathlib import Path

NIGHTLY = "stagecraft-drift"
"""The account of the machine that checks every night."""

CHECK = Path(__file__).with_name("check.py")
"""What pyinfra runs for `stagecraft drift`."""
