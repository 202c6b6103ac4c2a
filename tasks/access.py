"""sshd and the firewall, changed together because both depend on the SSH port."""

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pyinfra.api.deploy import deploy
from pyinfra.context import host, state

from stagecraft.errors import ServerError
from stagecraft.facts.access import CurrentAccess, CurrentAccessFact
from stagecraft.facts.logins import public_key
from stagecraft.facts.machine import Machine
from stagecraft.login import Login, unlock
from stagecraft.operations import files
from stagecraft.operations.access import TREE, Access, guarded, unlike
from stagecraft.operations.files import Checker
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
    current: CurrentAccess = host.get_fact(CurrentAccessFact)
    refuse_what_would_be_in_vain(server, settings, current)
    if settings.firewall:
        files.tree(name="Make /etc/stagecraft/firewall", tree="firewall", nodes=firewall.home())
    wanted = declared(server, settings, machine, current, host.data.login)
    this_run().manifest.declare(TREE, wanted.nodes)
    change = guarded(
        name=described(server, settings, current),
        access=wanted,
    )
    if not host.data.only_plans and change.will_change:
        unlock(state, wanted.login)


def declared(
    server: Server,
    settings: Host,
    machine: Machine,
    current: CurrentAccess,
    login: Mapping[str, Any],
) -> Access:
    nodes = sshd.nodes(server.ssh_port, settings, machine, current)
    wanted = sshd.effective(sshd.drop_in([server.ssh_port], settings, machine))
    if settings.firewall:
        nodes += firewall.nodes([server.ssh_port], settings.firewall)

    def transition(now: CurrentAccess) -> list[Node]:
        """The present access plus the new login; nothing if the new login already works."""
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


def check(settings: Host, sshd_check: str) -> Checker:
    if settings.firewall is None:
        return Checker("sshd -t", sshd_check, CHECKED)
    return Checker(
        "sshd -t or nft --check",
        f"nft --check --file {FIREWALL_RULES} || exit 1\n{sshd_check}",
        (*CHECKED, str(Path(FIREWALL_RULES).parent)),
    )


def sshd_verdict(wanted: Mapping[str, list[str]]) -> str:
    lines = "\n".join(f"{name} {value}" for name in wanted for value in wanted[name])
    return f"effective={shlex.quote(lines)} alone='port allowusers hostkey'\n{CHECK_SSHD}"


def refuse_what_would_be_in_vain(server: Server, settings: Host, current: CurrentAccess) -> None:
    """Raises ServerError if something else on the server controls access."""
    if current.socket:
        raise ServerError(
            f"{host.name}: systemd's ssh.socket listens instead of sshd, and decides on the port;"
            " run there: systemctl disable --now ssh.socket && systemctl enable --now ssh.service"
        )
    if settings.firewall and current.foreign:
        raise ServerError(
            f"{host.name} already has a firewall, {' and '.join(current.foreign)}: stop and"
            f" disable it there, or use it instead of ours with servers: {server.name}: host:"
            " firewall: null in group_data/all.yml"
        )


def described(server: Server, settings: Host, current: CurrentAccess) -> str:
    """The operation's name. It lists every key that is removed."""
    text = f"Allow SSH on port {server.ssh_port} only for {', '.join(settings.logins)}"
    if settings.firewall:
        text += f", and open ports {', '.join(firewall.public(settings.firewall))} to everybody"
    taken = [
        f"{account}'s key {comment(key)}"
        for account, keys in sorted(current.keys.items())
        for key in keys
        if account not in settings.logins or key not in settings.keys(account)
    ]
    return text + (f"; remove {', '.join(taken)}" if taken else "")


def named(line: str) -> str:
    """A listed key as `ssh-keygen -l` prints it: fingerprint and comment."""
    key = public_key(DEPLOY, line)
    return f"{key.fingerprint} {key.comment}".strip() if key else line


def comment(line: str) -> str:
    """The key's comment, or the end of the key if it has none."""
    key = public_key(DEPLOY, line)
    return (key.comment or f"…{key.line[-12:]}") if key else line
