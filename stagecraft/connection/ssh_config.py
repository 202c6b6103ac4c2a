"""What an ssh_config(5) file sets for a server, and which of it pyinfra cannot use."""

import shlex
from collections.abc import Iterator
from pathlib import Path

from pyinfra.connectors.sshuserclient.config import SSHConfig

from stagecraft.connection.ssh import SSHError, parsed
from stagecraft.local_files import not_text

NUMBERS = {
    "port": "Port",
    "connecttimeout": "ConnectTimeout",
    "serveraliveinterval": "ServerAliveInterval",
}
"""The options that pyinfra parses as integers."""

UNKNOWN_NONE = "which pyinfra does not know: except this host where the option is set (Host * !…)"


def wrong_ssh_config(path: str | Path, name: str) -> str | None:
    """Why pyinfra cannot use the file to reach the host `name`; None if it can."""
    if wrong := not_text(path):
        return wrong
    try:
        return next((f"{path} says {wrong}" for wrong in _wrong(parsed(path), (name,))), None)
    except (SSHError, LookupError, OSError, ValueError) as error:
        return f"{path} is no ssh_config: {error}"


def _wrong(config: SSHConfig, way: tuple[str, ...]) -> Iterator[str]:
    """What is wrong for the last host of the way, and for its jump hosts."""
    options = config.lookup(way[-1])
    for option, written in NUMBERS.items():
        value = options.get(option, "1")
        if not value.isdecimal():
            yield f"{written} {value}, which is no number"
        elif option == "port" and not _is_port(value):
            yield f"Port {value}; ports go from 1 to 65535"
    if "proxycommand" in options:
        yield from _wrong_command(options["proxycommand"])
    elif "proxyjump" in options:
        for hop in options["proxyjump"].split(","):
            yield from _wrong_hop(config, way, hop)


def _wrong_command(command: str | None) -> Iterator[str]:
    if command is None:  # paramiko's value for `none`
        yield f"ProxyCommand none, {UNKNOWN_NONE}"
        return
    try:
        shlex.split(command)
    except ValueError:
        yield f"ProxyCommand {command}, in which a quotation is not closed"


def _wrong_hop(config: SSHConfig, way: tuple[str, ...], hop: str) -> Iterator[str]:
    if hop.lower() == "none":
        yield f"ProxyJump none, {UNKNOWN_NONE}"
        return
    name, port = _host_and_port(hop)
    if not name or not _is_port(port):
        yield f"ProxyJump {hop}, which is no host, user@host or user@host:port"
    elif name in way:
        yield f"ProxyJump {hop} also for {name} itself: except it there (Host * !{name})"
    else:
        yield from _wrong(config, (*way, name))


def _host_and_port(hop: str) -> tuple[str, str]:
    """Splits as pyinfra does: an IPv6 address cannot have a port."""
    host = hop.rpartition("@")[2]
    name, colon, port = host.partition(":")
    return (host, "22") if ":" in port else (name, port if colon else "22")


def _is_port(text: str) -> bool:
    return text.isdecimal() and 0 < int(text) < 65536
