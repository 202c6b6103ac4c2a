"""The checks of several inventories at once. Each is a separate pyinfra process, so that a hang or
a crash affects only one."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType

from pydantic import ValidationError

from stagecraft.drift import CHECK
from stagecraft.drift.findings import Report, Unchecked
from stagecraft.program import uninterrupted

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


@contextmanager
def checks(
    inventories: Sequence[Path],
    patience: float = PATIENCE,
    data: Mapping[str, str] = MappingProxyType({}),
) -> Iterator[Callable[[], list[Report]]]:
    """Starts the checks, of which none outlives the `with`. The function waits for them and returns
    one report per inventory, in order. `data` is for check.py."""
    waiting, begun, started = list(inventories), list[RunningCheck](), time.monotonic()

    def running() -> list[RunningCheck]:
        return [check for check in begun if not check.over()]

    def begin() -> None:
        while waiting and len(running()) < AT_ONCE:
            begun.append(
                RunningCheck(waiting.pop(0), Path(directory, str(len(begun))), patience, data)
            )

    def wait() -> list[Report]:
        shown = ""
        while checked := running():
            names = ", ".join(check.inventory.stem for check in checked)
            progress = f"Checking {names}, {time.monotonic() - started:.0f} s"
            if progress != shown:
                show(shown := progress)
            time.sleep(0.02)
            begin()
        return [check.report() for check in begun]

    with TemporaryDirectory() as directory:
        try:
            with uninterrupted():
                begin()
            yield wait
        finally:
            show("")
            for check in begun:
                check.end()


def show(progress: str) -> None:
    """Replaces the last line on standard error, if that is a terminal."""
    if sys.stderr.isatty():
        print(f"\r\033[K{progress}", end="", file=sys.stderr, flush=True)


class RunningCheck:
    """The running check of one inventory. It may write `<place>.json` and `<place>.txt`."""

    def __init__(
        self, inventory: Path, place: Path, patience: float, given: Mapping[str, str]
    ) -> None:
        self.inventory = inventory
        self._patience = patience
        self._deadline = time.monotonic() + patience
        self._late = False
        self._report, self._output = place.with_suffix(".json"), place.with_suffix(".txt")
        # Trusts only pinned host keys: first contact is for an operator.
        data = ["--data", "ssh_strict_host_key_checking=yes", "--data", f"report={self._report}"]
        data += [word for item in given.items() for word in ("--data", "=".join(item))]
        kept = {key: value for key, value in os.environ.items() if not key.startswith(NOTIFY)}
        pyinfra = Path(sys.executable).with_name("pyinfra")
        with self._output.open("w") as output:
            self._process = subprocess.Popen(
                [pyinfra, "--dry", *data, str(inventory), str(CHECK)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=kept | {"PYINFRA_PROGRESS": "off"},
                # Nobody can type a password, and we pass Ctrl-C on ourselves.
                start_new_session=True,
            )

    def over(self) -> bool:
        """Whether it has ended or its time is up."""
        if self._process.poll() is None and time.monotonic() >= self._deadline:
            self._late = True
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
        why = reason(self._output.read_text(errors="replace"))
        if self._late:
            why = f"no answer within {self._patience:.0f} seconds"
        server, environment = place(self.inventory)
        unchecked = Unchecked(server=server, environment=environment, area="everything", reason=why)
        return Report(unchecked=[unchecked])


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
