"""The nightly check: an account, its SSH key, and a timer on the machine that runs it."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pyinfra.api.deploy import deploy
from pyinfra.context import host
from pyinfra.facts.server import Command
from pyinfra.operations import files as stock_files

from stagecraft.errors import CommandLineError, ServerError
from stagecraft.operations import files, host_keys
from stagecraft.operations.accounts import system_account
from stagecraft.operations.nodes import Directory, Node
from stagecraft.operations.services import known, running
from stagecraft.render import file
from stagecraft.settings import REPOSITORY
from stagecraft.sources import read_yaml

ACCOUNT = "stagecraft-drift"
HOME = f"/var/lib/{ACCOUNT}"
KEY = f"{HOME}/.ssh/id_ed25519"
NOTIFY = f"/etc/{ACCOUNT}/notify"
SERVICE = f"/etc/systemd/system/{ACCOUNT}.service"
TIMER = f"/etc/systemd/system/{ACCOUNT}.timer"

HIDDEN = ("/home", "/root", "/run/user", "/tmp", "/var/tmp")  # noqa: S108
"""What the service's sandbox does not show it."""


@dataclass(frozen=True)
class Nightly:
    """Which checkout checks which inventories, named relative to it."""

    checkout: str
    inventories: tuple[str, ...]
    name: str = "nightly"

    @property
    def python(self) -> str:
        return f"{self.checkout}/.venv/bin/python"


def wanted(data: Any) -> Nightly:
    """What `--data` says, or else this checkout and all its inventories. Raises CommandLineError
    for what the service could not reach."""
    checkout = str(data.get("checkout") or REPOSITORY).rstrip("/")
    named = data.get("inventories")
    inventories = tuple(named.split(",") if named else lasting())
    for path in (checkout, *inventories):
        if not re.fullmatch(r"[\w/.-]+", path):
            raise CommandLineError(f"{path!r} has characters that a systemd unit would misread")
    if any(f"{checkout}/".startswith(f"{place}/") for place in HIDDEN) or checkout[:1] != "/":
        raise CommandLineError(
            f"the check cannot read a checkout in {checkout}: put it where every account may look,"
            " like /srv/stagecraft, and say --data checkout=/srv/stagecraft"
        )
    return Nightly(checkout, inventories)


def lasting() -> Iterator[str]:
    """The inventories of this checkout whose servers are no throwaways. Raises SettingsError."""
    servers = read_yaml(REPOSITORY / "group_data/all.yml", REPOSITORY).data["servers"]
    for path in sorted((REPOSITORY / "inventories").glob("*.py")):
        environment = read_yaml(REPOSITORY / f"group_data/{path.stem}.yml", REPOSITORY).data
        if not servers.get(environment.get("server"), {}).get("throwaway"):
            yield str(path.relative_to(REPOSITORY))


@deploy("Nightly check")
def nightly(check: Nightly) -> None:
    refuse_unusable(check)
    system_account(name=f"Add the user {ACCOUNT}", account=ACCOUNT, home=HOME)
    files.tree(
        name=f"Make {HOME}",
        tree="nightly-home",
        nodes=[Directory(HOME, ACCOUNT, ACCOUNT, "700")],
    )
    files.tree(
        name=f"Make {HOME}/.ssh",
        tree="nightly-ssh",
        nodes=[Directory(f"{HOME}/.ssh", ACCOUNT, ACCOUNT, "700")],
        user=ACCOUNT,
    )
    host_keys.generated(
        name=f"Make the key {KEY}",
        keys=[KEY],
        moduli=False,
        _su_user=ACCOUNT,
        _su_shell="/bin/sh",
    )
    files.tree(
        name=f"Make {Path(NOTIFY).parent}",
        tree="nightly-notify",
        nodes=[Directory(str(Path(NOTIFY).parent), mode="700")],
    )
    # Empty at first, and then an admin's: nobody is told until it names somebody.
    stock_files.file(name=f"Have {NOTIFY}", path=NOTIFY, user="root", group="root", mode="600")
    written = files.tree(name=f"Write {SERVICE} and its timer", tree="nightly", nodes=units(check))
    known(
        name="Have systemd read the check's service",
        unit=Path(SERVICE).name,
        unit_files=[SERVICE],
        after=[written],
    )
    running(
        name=f"Run {Path(TIMER).name}",
        unit=Path(TIMER).name,
        unit_files=[TIMER],
        after=[written],
    )


def refuse_unusable(check: Nightly) -> None:
    """Raises ServerError for a checkout that could not check anything."""
    needed = [check.python, *(f"{check.checkout}/{path}" for path in check.inventories)]
    tests = "; ".join(f"[ -e {path} ] || echo {path}" for path in map(shlex.quote, needed))
    if missing := host.get_fact(Command, command=f"{tests}; true"):
        raise ServerError(
            f"{host.name} has no {', '.join(missing.split())}: clone the project there and run"
            f" `make .venv/complete` in it"
        )


def units(check: Nightly) -> list[Node]:
    values: dict[str, Any] = {
        "check": check,
        "account": ACCOUNT,
        "home": HOME,
        "notify": NOTIFY,
        "key": KEY,
    }
    return [
        file(SERVICE, "nightly/drift.service.j2", **values),
        file(TIMER, "nightly/drift.timer.j2", **values),
    ]
