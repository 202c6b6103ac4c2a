"""The ways into the machine, sshd and the firewall, changed together: a new port is both's."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pyinfra.api.deploy import deploy
from pyinfra.context import host, state

from stagecraft.errors import ServerError
from stagecraft.facts.access import Ways, WaysFact
from stagecraft.facts.logins import public_key
from stagecraft.facts.machine import Machine
from stagecraft.login import Login, unlock
from stagecraft.operations import files
from stagecraft.operations.access import TREE, Access, guarded, unlike
from stagecraft.operations.files import Check
from stagecraft.operations.nodes import Node
from stagecraft.operations.scripts import script
from stagecraft.paths import FIREWALL_RULES
from stagecraft.run import this_run
from stagecraft.settings import DEPLOY, Host, Server
from tasks import firewall, sshd

CHECK_SSHD = script("check_sshd")
CHECKED = ("/etc/ssh",)


@deploy("Access")
def access(server: Server, settings: Host, machine: Machine) -> None:
    ways: Ways = host.get_fact(WaysFact)
    refuse_what_would_be_in_vain(server, settings, ways)
    if settings.firewall:
        files.tree(name="Make /etc/stagecraft/firewall", tree="firewall", nodes=firewall.home())
    wanted = declared(server, settings, machine, ways, host.data.login)
    this_run().manifest.declare(TREE, wanted.nodes)
    change = guarded(
        name=described(server, settings, ways),
        access=wanted,
    )
    if not host.data.only_plans and change.will_change:
        unlock(state, wanted.login)


def declared(
    server: Server, settings: Host, machine: Machine, ways: Ways, login: Mapping[str, Any]
) -> Access:
    nodes = sshd.nodes(server.ssh_port, settings, machine, ways)
    wanted = sshd.effective(sshd.drop_in([server.ssh_port], settings, machine))
    if settings.firewall:
        nodes += firewall.nodes([server.ssh_port], settings.firewall)

    def transition(now: Ways) -> list[Node]:
        """What is there, and the new way in beside it; nothing where it leads in already."""
        changing = ("port", "permitrootlogin", "authorizedkeysfile")
        if not unlike({name: wanted[name] for name in changing}, now.settings):
            return []
        ports = sorted({server.ssh_port, *now.ports})
        both = sshd.transition(ports, settings, machine, now)
        return both + (firewall.nodes(ports, settings.firewall) if settings.firewall else [])

    return Access(
        nodes=nodes,
        check=check(settings, sshd_verdict(wanted)),
        transition=transition,
        transition_check=check(settings, "sshd -t"),
        settings=wanted,
        login=Login(
            server.ssh_user,
            login["ssh_port"],
            keys=tuple(login["ssh_keys"]),
            admitted=tuple(map(named, settings.keys(server.ssh_user))),
        ),
        firewall=settings.firewall is not None,
    )


def check(settings: Host, sshd_check: str) -> Check:
    if settings.firewall is None:
        return Check("sshd -t", sshd_check, CHECKED)
    return Check(
        "sshd -t or nft --check",
        f"nft --check --file {FIREWALL_RULES} || exit 1\n{sshd_check}",
        (*CHECKED, str(Path(FIREWALL_RULES).parent)),
    )


def sshd_verdict(wanted: Mapping[str, list[str]]) -> str:
    lines = "\n".join(f"{name} {value}" for name in wanted for value in wanted[name])
    return f"effective={shlex.quote(lines)} alone='port allowusers hostkey'\n{CHECK_SSHD}"


def refuse_what_would_be_in_vain(server: Server, settings: Host, ways: Ways) -> None:
    """Raises ServerError where something else on the server decides who gets in."""
    if ways.socket:
        raise ServerError(
            f"{host.name}: systemd's ssh.socket answers there, whose port is not sshd's to say;"
            " run there: systemctl disable --now ssh.socket && systemctl enable --now ssh.service"
        )
    if settings.firewall and ways.foreign:
        raise ServerError(
            f"{host.name} has a firewall already, {' and '.join(ways.foreign)}: stop and disable"
            f" it there, or leave the firewall to it with servers: {server.name}: host: firewall:"
            " null in group_data/all.yml"
        )


def described(server: Server, settings: Host, ways: Ways) -> str:
    """The operation's name; what is taken away from people stands in the plan by name."""
    text = f"Let {', '.join(settings.accounts)} in by SSH on port {server.ssh_port}, nobody else"
    if settings.firewall:
        text += f", and everybody to ports {', '.join(firewall.public(settings.firewall))}"
    taken = [
        f"{account}'s key {comment(key)}"
        for account, keys in sorted(ways.keys.items())
        for key in keys
        if account not in settings.accounts or key not in settings.keys(account)
    ]
    return text + (f"; taken away: {', '.join(taken)}" if taken else "")


def named(line: str) -> str:
    """A listed key as `ssh-keygen -l` prints it: its fingerprint and what a person calls it."""
    key = public_key(DEPLOY, line)
    return f"{key.fingerprint} {key.comment}".strip() if key else line


def comment(key: str) -> str:
    """What a person calls a key: the end of its line, or without one, the end of the key."""
    _, blob, *words = key.split(" ")
    return " ".join(words) or f"…{blob[-12:]}"
