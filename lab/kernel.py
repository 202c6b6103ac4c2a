"""Settings of this machine's kernel that servers need, and that are put back after the last one.

What they were stands in a file that a reboot removes, as it does the settings: so a killed run's
are put back by the next one.
"""

import json
from pathlib import Path

BEFORE = Path("/run/stagecraft.kernel")


def require(setting: Path, value: str) -> None:
    """Ensures the value, after noting the one before; only while the network's lock is held."""
    before = setting.read_text().strip()
    if before == value:
        return
    partial = BEFORE.with_suffix(".partial")
    partial.write_text(json.dumps({str(setting): before} | _noted()))
    partial.replace(BEFORE)
    setting.write_text(value)


def restore() -> None:
    """Ensures the values from before the first server; only while the network's lock is held."""
    for setting, value in _noted().items():
        Path(setting).write_text(value)
    BEFORE.unlink(missing_ok=True)


def _noted() -> dict[str, str]:
    return json.loads(BEFORE.read_text()) if BEFORE.exists() else {}
