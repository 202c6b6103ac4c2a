"""The checks of several inventories at once. Each is a separate pyinfra process, so that a hang or
a crash affects only one."""

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
"""Seconds for the whole check of a server, which usually takes two."""

AT_ONCE = 8
"""Each takes about 70 MB here."""

NOTIFY = "STAGECRAFT_NOTIFY"
"""The prefix of variables with the notifier's URLs."""

REASONS = {
    r"has another host key than the one pinned": "its host key is not the pinned one: it was"
    " reinstalled, or somebody else answers there. README, `A new server`, says what to do",
    r"StrictPolicy: No host key": "its host key is not pinned: log in or run deploy.py once,"
    " compare the key with the one that the provider's panel shows, and keep known_hosts",
    r"Authentication error \((?:username=)?(?P<account>[^,)]*)": "the login as {account} was"
    " refused: none of this machine's SSH keys is accepted (group_data/all.yml, host: deploy:)",
    r"sudo password:|sudo: ": "sudo was refused: the account that logs in needs it without a"
    " password",
    r"\] (?P<what>(?:Could not connect|Could not resolve hostname|SSH error|EOF error) \(.*\))": (
        "it cannot be reached: {what}"
    ),
    r"(?ms)^--> pyinfra error: (?P<what>.*)": "{what}",
}
"""Why there is no report, for the operator, by what pyinfra printed."""


class Checks:
    """All checks, started on entry; none outlives the `with`."""

    def __init__(self, inventories: Sequence[Path], patience: float = PATIENCE) -> None:
        self._waiting = list(inventories)
        self._begun: list[RunningCheck] = []
        self._patience = patience
        self._directory = TemporaryDirectory()

    def __enter__(self) -> Checks:
        with uninterrupted():
            self._begin()
        return self

    def __exit__(self, *_: object) -> None:
        for check in self._begun:
            check.end()
        self._directory.cleanup()

    def wait(self, watch: Callable[[Sequence[Path]], None]) -> list[Report]:
        """One report per inventory, in order. Calls `watch` repeatedly with the inventories being
        checked."""
        while running := self._running():
            watch([check.inventory for check in running])
            time.sleep(0.02)
            self._begin()
        return [check.report() for check in self._begun]

    def _begin(self) -> None:
        while self._waiting and len(self._running()) < AT_ONCE:
            place = Path(self._directory.name) / str(len(self._begun))
            self._begun.append(RunningCheck(self._waiting.pop(0), place, self._patience))

    def _running(self) -> list[RunningCheck]:
        return [check for check in self._begun if not check.over()]


class RunningCheck:
    """The running check of one inventory. It may write `<place>.json` and `<place>.txt`."""

    def __init__(self, inventory: Path, place: Path, patience: float) -> None:
        self.inventory = inventory
        self._patience = patience
        self._deadline = time.monotonic() + patience
        self._in_time = True
        self._report = place.with_suffix(".json")
        self._said = place.with_suffix(".txt")
        with self._said.open("w") as said:
            self._process = subprocess.Popen(
                list(self._command()),
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                env=environment(),
                # Nobody can type a password, and we pass Ctrl-C on ourselves.
                start_new_session=True,
            )

    def _command(self) -> Iterator[str]:
        yield str(PYINFRA)
        yield "--dry"
        # Trusts only pinned host keys: first contact is for an operator.
        yield from ("--data", "ssh_strict_host_key_checking=yes")
        yield from ("--data", f"report={self._report}")
        yield from (str(self.inventory), str(CHECK))

    def over(self) -> bool:
        """Whether it has ended or its time is up."""
        if self._process.poll() is None and time.monotonic() >= self._deadline:
            self._in_time = False
            self.end()
        return self._process.returncode is not None

    def end(self) -> None:
        if self._process.poll() is None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def report(self) -> Report:
        """Its report; if there is none, why everything is unchecked."""
        with suppress(OSError, ValidationError):
            return Report.model_validate_json(self._report.read_text())
        said = self._said.read_text(errors="replace")
        late = f"no answer within {self._patience:.0f} seconds"
        why = reason(said) if self._in_time else late
        server, environment = place(self.inventory)
        unchecked = Unchecked(server=server, environment=environment, area="everything", reason=why)
        return Report(unchecked=[unchecked])


def environment() -> dict[str, str]:
    """Our environment variables without the notifier's."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(NOTIFY)}
    return kept | {"PYINFRA_PROGRESS": "off"}


def place(inventory: Path) -> tuple[str, str]:
    """The inventory's server and environment, as far as its files say so."""
    from stagecraft.yaml_files import SettingsError, read_yaml  # pyinfra's, slow to import

    root = inventory.parent.parent
    try:
        data = read_yaml(root / "group_data" / f"{inventory.stem}.yml", root).data
    except (SettingsError, OSError):
        return inventory.stem, ""
    return str(data.get("server", inventory.stem)), inventory.stem


def reason(said: str) -> str:
    """Why there is no report: the end of what pyinfra printed."""
    for pattern, why in REASONS.items():
        if found := re.search(pattern, said):
            return why.format(**found.groupdict()).strip()
    return "the check failed: " + " / ".join(said.strip().splitlines()[-3:])
