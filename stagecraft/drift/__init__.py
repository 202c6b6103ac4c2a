"""The nightly check: what on a server is not, or no longer, what the files say.

`command.py` starts a pyinfra for each inventory, which runs `check.py`, the list of all areas that
are looked at. What it finds goes through three rooms:

- `looking/` asks: the inventories, the plan of deploy.py, the server.
- `judging/` makes findings of the answers: kind, severity, cause, since when, remedy, waiver. A new
  check is a `Kind` and a function there, and a line in `check.py`.
- `telling/` says it: as text, to those who are to be notified, and in the history.

`findings.py` is what they pass to each other.
"""

from pathlib import Path

CHECK = Path(__file__).with_name("check.py")
"""What pyinfra runs for `stagecraft drift`."""
