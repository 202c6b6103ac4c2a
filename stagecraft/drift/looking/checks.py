"""The checks of several inventories at once. Each is a pyinfra of its own, so that one that hangs
or dies spoils itself alone."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from pydantic import ValidationError

from stagecraft.drift import CHECK
from stagecraft.drift.findings import Report, Unchecked
from stagecraft.program import uninterrupted

PYINFRA = Path(sys.executable).with_name("pyinfra")

PATIENCE = 120.0
"""Seconds for the whole check of a server; usually it takes two."""

AT_ONCE = 8
"""Each takes about 70 MB here."""

NOTIFY = "STAGECRAFT_NOTIFY"
"""How the variables begin that hold the notifier's URLs."""

LOGIN = re.compile(r"Authentication error \((?:username=)?(?P<account>[^,)]*)")
UNREACHABLE = re.compile(
    r"\] (?P<what>(?:Could not connect|Could not resolve hostname|SSH error|EOF error) \(.*\))"
)
FATAL = re.compile(r"^--> pyinfra error: (?P<what>.*)", re.MULTILINE | re.DOTALL)


class Checks:
    """All of them, begun on entry; none outlives the `with`."""

    def __init__(self, inventories: Sequence[Path], patience: float = PATIENCE) -> None:
        self._directory = TemporaryDirectory()
        place = Path(self._directory.name)
        self._all = [Check(path, place / f"{n}", patience) for n, path in enumerate(inventories)]
        self._waiting = list(self._all)
        self._running: list[Check] = []

    def __enter__(self) -> Checks:
        with uninterrupted():
            self._begin()
        return self

    def __exit__(self, *_: object) -> None:
        for check in self._running:
            check.end()
        self._directory.cleanup()

    def wait(self, watch: Callable[[Sequence[Path]], None]) -> list[Report]:
        """One report for each inventory, in their order. `watch` is told, again and again, which
        ones are being checked."""
        while self._running:
            watch([check.inventory for check in self._running])
            time.sleep(0.02)
            self._running = [check for check in self._running if not check.over()]
            self._begin()
        return [check.report() for check in self._all]

    def _begin(self) -> None:
        free = AT_ONCE - len(self._running)
        begun, self._waiting = self._waiting[:free], self._waiting[free:]
        for check in begun:
            check.begin()
            self._running.append(check)


class Check:
    """One inventory's check. It may write `<place>.json` and `<place>.txt`."""

    def __init__(self, inventory: Path, place: Path, patience: float) -> None:
        self.inventory = inventory
        self._patience = patience
        self._report = place.with_suffix(".json")
        self._said = place.with_suffix(".txt")
        self._in_time = True

    def begin(self) -> None:
        self._deadline = time.monotonic() + self._patience
        with self._said.open("w") as said:
            self._process = subprocess.Popen(
                list(self._command()),
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                env=environment(),
                # Nobody is there to type a password; and Ctrl-C is for us to pass on.
                start_new_session=True,
            )

    def _command(self) -> Iterator[str]:
        yield str(PYINFRA)
        yield "--dry"
        # A check trusts no host key that is not pinned: first contact is an operator's.
        yield from ("--data", "ssh_strict_host_key_checking=yes")
        yield from ("--data", f"report={self._report}")
        yield from (str(self.inventory), str(CHECK))

    def over(self) -> bool:
        """Whether it has ended, be it that its time is up."""
        if self._process.poll() is not None:
            return True
        self._in_time = time.monotonic() < self._deadline
        if not self._in_time:
            self.end()
        return not self._in_time

    def end(self) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def report(self) -> Report:
        """What it found; or, where it did not come so far, why everything is unchecked."""
        with suppress(OSError, ValidationError):
            return Report.model_validate_json(self._report.read_text())
        said = self._said.read_text(errors="replace")
        late = f"no answer within {self._patience:.0f} seconds"
        why = reason(said) if self._in_time else late
        server, environment = place(self.inventory)
        unchecked = Unchecked(server=server, environment=environment, area="everything", reason=why)
        return Report(unchecked=[unchecked])


def environment() -> dict[str, str]:
    """This one's, without what only the notifier is to know."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(NOTIFY)}
    return kept | {"PYINFRA_PROGRESS": "off"}


def place(inventory: Path) -> tuple[str, str]:
    """The server and the environment that an inventory stands for, as far as its files say so."""
    from stagecraft.sources import SettingsError, read_yaml  # pyinfra's, which takes its time

    root = inventory.parent.parent
    try:
        data = read_yaml(root / "group_data" / f"{inventory.stem}.yml", root).data
    except (SettingsError, OSError):
        return inventory.stem, ""
    return str(data.get("server", inventory.stem)), inventory.stem


def reason(said: str) -> str:
    """Why there is no report, for the one who must act, in what pyinfra said: that ends where the
    reason is."""
    if "has another host key than the one pinned" in said:
        return (
            "its host key is not the pinned one: it was reinstalled, or somebody else answers"
            " there. README, `A new server`, says what to do"
        )
    if "StrictPolicy: No host key" in said:
        return (
            "its host key is not pinned: log in or run deploy.py once, compare the key with the"
            " one that the provider's panel shows, and keep known_hosts"
        )
    if found := LOGIN.search(said):
        return (
            f"the login as {found['account']} was refused: none of this machine's SSH keys opens"
            " it (group_data/all.yml, host: deploy:)"
        )
    if "sudo password:" in said or "sudo: " in said:
        return "sudo was refused: the account that logs in needs it without a password"
    if found := UNREACHABLE.search(said):
        return f"it cannot be reached: {found['what']}"
    if found := FATAL.search(said):
        return found["what"].strip()
    return "the check failed: " + " / ".join(said.strip().splitlines()[-3:])
