"""The nightly check: an account, its SSH key, and a timer on the machine that runs it."""

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pyinfra.api.deploy import deploy
from pyinfra.context import host
from pyinfra.facts.server import Command
from pyinfra.operations import files as stock_files

from stagecraft.errors import CommandLineError, ServerError
from stagecraft.facts.writable import Writable, WritableFact
from stagecraft.harmless import harmless
from stagecraft.operations import files, host_keys
from stagecraft.operations.nodes import Directory, Node
from stagecraft.operations.services import known, running
from stagecraft.operations.system_accounts import system_account
from stagecraft.project import inventory, lasting
from stagecraft.render import file
from stagecraft.settings import REPOSITORY

ACCOUNT = "stagecraft-drift"
HOME = f"/var/lib/{ACCOUNT}"
KEY = f"{HOME}/.ssh/id_ed25519"
NOTIFY = f"/etc/{ACCOUNT}/notify"
SERVICE = f"/etc/systemd/system/{ACCOUNT}.service"
TIMER = f"/etc/systemd/system/{ACCOUNT}.timer"

HIDDEN = ("/home", "/root", "/run/user", "/tmp", "/var/tmp")  # noqa: S108
"""Directories that the service's sandbox hides."""


@dataclass(frozen=True)
class Nightly:
    """Which checkout checks which environments."""

    checkout: str
    environments: tuple[str, ...]
    name: str = "nightly"

    @property
    def command(self) -> str:
        return f"{self.checkout}/.venv/bin/stagecraft"


def wanted(data: Any) -> Nightly:
    """From `--data`; by default, this checkout and all its environments except those of throwaway
    servers. Raises CommandLineError for a checkout that the service could not read."""
    checkout = str(data.get("checkout") or REPOSITORY).rstrip("/")
    named = data.get("environments")
    environments = tuple(str(named).split(",") if named else lasting(REPOSITORY))
    for text in (checkout, *environments):
        if not re.fullmatch(r"[\w/.-]+", text):
            raise CommandLineError(f"{text!r} has characters that a systemd unit would misread")
    if any(f"{checkout}/".startswith(f"{place}/") for place in HIDDEN) or checkout[:1] != "/":
        raise CommandLineError(
            f"the check cannot read a checkout in {checkout}: move it to a directory that every"
            " account can read, such as /srv/stagecraft, and use --data checkout=/srv/stagecraft"
        )
    return Nightly(checkout, environments)


@deploy("Nightly check")
def nightly(check: Nightly) -> None:
    refuse_unusable(check)
    account_with_key()
    files.tree(
        name=f"Make {Path(NOTIFY).parent}",
        tree="nightly-notify",
        nodes=[Directory(str(Path(NOTIFY).parent), mode="700")],
    )
    # Created empty, then edited by an admin. Until then nobody is notified.
    stock_files.file(name=f"Create {NOTIFY}", path=NOTIFY, user="root", group="root", mode="600")
    written = files.tree(name=f"Write {SERVICE} and its timer", tree="nightly", nodes=units(check))
    known(
        name="Make systemd read the check's service",
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


def account_with_key() -> None:
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


def refuse_unusable(check: Nightly) -> None:
    """Raises ServerError for a checkout that could not check anything."""
    inventories = (inventory(name) for name in check.environments)
    needed = [check.command, *(f"{check.checkout}/{path}" for path in inventories)]
    tests = "; ".join(f"[ -e {path} ] || echo {path}" for path in map(shlex.quote, needed))
    if missing := host.get_fact(Command, command=f"{tests}; true"):
        raise ServerError(
            f"{host.name} has no {', '.join(missing.split())}: clone the project there and run"
            " `make .venv/complete` in it"
        )
    if found := host.get_fact(WritableFact, directory=check.checkout):
        raise ServerError(f"{host.name}: {harmless(writable(found, check.checkout))}")


def writable(found: Sequence[Writable], checkout: str) -> str:
    """What others than root could change, and the commands that fix it."""
    first, more = found[0], len({path.path for path in found}) - 1
    state = "gives new files an ACL" if first.shared else f"is {first.owner}'s, mode {first.mode}"
    also = f" (and {more} more)" if more else ""
    commands = dict.fromkeys(fix(path, checkout) for path in found)
    return (
        f"{first.path} {state}{also}: whoever can write there decides what the check runs. As root:"
        f" {' && '.join(commands)}"
    )


def fix(path: Writable, checkout: str) -> str:
    if path.where == "beyond":
        remade = f"rm -r {checkout}/.venv && make -C {checkout} .venv/complete"
        return remade if "/.venv/" in path.link else f"rm {shlex.quote(path.link)}"
    if path.where == "above":
        return f"chown root:root {path.path} && chmod go-w {path.path}"
    if path.shared:
        return f"setfacl --recursive --remove-default {checkout}/"
    return f"chown -hR root:root {checkout}/ && chmod -R go-w {checkout}/"


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
