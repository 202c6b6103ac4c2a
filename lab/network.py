"""The network that throwaway servers share: one bridge, and a way out through this machine."""

from pathlib import Path

from lab import kernel
from lab.commands import NspawnError, run

LOCK = Path("/run/stagecraft.lock")
"""Held by whoever takes an address, or takes away what a server with one has left. One for the
machine, because its clones of the repository share bridge and addresses."""

BRIDGE = "stagecraft0"

# RFC 2544 reserves 198.18.0.0/15 for benchmarks, so no real network that we could hide uses it.
PREFIX = "198.18.0"
GATEWAY = f"{PREFIX}.1"
NETWORK = f"{PREFIX}.0/24"

# Locally administered. Without a fixed one the bridge takes over the lowest of its ports', and
# connections of the other servers hang whenever a server comes or goes.
BRIDGE_MAC = "02:53:43:00:00:01"

FORWARDING = Path("/proc/sys/net/ipv4/ip_forward")

# `table` before `flush` makes the flush work the first time; nft applies the file as a whole.
RULES = f"""
table ip stagecraft
flush table ip stagecraft
table ip stagecraft {{
    chain postrouting {{
        type nat hook postrouting priority srcnat
        ip saddr {NETWORK} ip daddr != {NETWORK} masquerade
    }}
}}
"""


def ensure() -> None:
    """Ensures the bridge with the gateway's address, forwarding and masquerading."""
    if not _exists(BRIDGE):
        run("ip", "link", "add", BRIDGE, "address", BRIDGE_MAC, "type", "bridge")
    run("ip", "address", "replace", f"{GATEWAY}/24", "dev", BRIDGE)
    run("ip", "link", "set", BRIDGE, "up")
    run("nft", "-f", "-", stdin=RULES)
    kernel.require(FORWARDING, "1")


def remove() -> None:
    if _exists(BRIDGE):
        run("ip", "link", "delete", BRIDGE)
    run("nft", "-f", "-", stdin="table ip stagecraft\ndelete table ip stagecraft\n")


def free_number(taken: set[int]) -> int:
    """The lowest free last part of an address; 1 is the gateway's."""
    for number in range(2, 255):
        if number not in taken:
            return number
    raise NspawnError(f"all addresses of {NETWORK} are taken: `make clean` in the clones you left")


def address(number: int) -> str:
    return f"{PREFIX}.{number}"


def delete_leftover(machine: str) -> None:
    """Ensures that no interface of a killed container keeps a new one from getting its own."""
    interface = f"vb-{machine}"
    if _exists(interface):
        run("ip", "link", "delete", interface)


def _exists(interface: str) -> bool:
    return Path("/sys/class/net", interface).exists()
