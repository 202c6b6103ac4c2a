"""Addresses and networks; with a port, where a site may connect to."""

import ipaddress
import re
from dataclasses import dataclass
from typing import Self

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

LOOPBACK = (ipaddress.IPv4Network("127.0.0.0/8"), ipaddress.IPv6Network("::1"))

DESTINATION = re.compile(
    r"(?:\[(?P<bracketed>[^\[\]]+)\]|(?P<plain>[^:\[\]]+)):(?P<port>[0-9]+)(?:/(?P<protocol>.+))?"
)

HOST_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_-]|\.(?!\.))*(?<![._-])")

RESERVED = ipaddress.IPv4Network("240.0.0.0/4")
"""Includes the broadcast address 255.255.255.255."""


def network(value: str) -> str:
    """The network as Python writes it. Raises ValueError with what would be right."""
    try:
        if "%" in value:  # the zone of a link-local address, which neither nft nor nginx reads
            raise ValueError(value)
        found = ipaddress.ip_network(value)
    except ValueError:
        message = f"{value!r} is not an address or network{_nearest_network(value)}"
        raise ValueError(message) from None
    if useless := _useless(found):
        raise ValueError(f"{value!r} {useless}")
    return str(found)


def _useless(network: Network) -> str | None:
    """Why no packet can come from or go to this network; None if one can."""
    first = network.network_address
    if isinstance(first, ipaddress.IPv6Address) and first.ipv4_mapped and network.prefixlen >= 96:
        meant = ipaddress.IPv4Network((first.ipv4_mapped, network.prefixlen - 96))
        address = str(meant).removesuffix("/32")
        return f"is an IPv4 address in IPv6 notation, which no packet has: write {address}"
    nobodys = first.is_unspecified and network.num_addresses == 1
    if nobodys or network.is_multicast or (network.version == 4 and first in RESERVED):
        return "is not the address of a machine"
    return None


def machine_address(value: str) -> str:
    """The IP address of a machine as Python writes it, or a name, which may be a Host of an
    ssh_config. Raises ValueError with what would be right."""
    try:
        address = ipaddress.ip_address(value)
    except ValueError:
        if port := re.fullmatch(r"([^:]+|\[.+\]):([0-9]+)", value):
            message = f"{value!r} contains a port: set ssh_port: {port[2]} instead"
            raise ValueError(message) from None
        if not HOST_NAME.fullmatch(value) or re.fullmatch(r"[0-9.]+", value):
            raise ValueError(f"{value!r} must be a host name or an IP address") from None
        return value
    return network(str(address)).partition("/")[0]


def _nearest_network(value: str) -> str:
    try:
        return f"; did you mean {ipaddress.ip_network(value, strict=False)}?"
    except ValueError:
        return ", like 203.0.113.7 or 2001:db8::/32"


@dataclass(frozen=True)
class Destination:
    """A port of an address or network. `protocol` is tcp or udp."""

    network: Network
    port: int
    protocol: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises ValueError with what would be right."""
        parts = DESTINATION.fullmatch(text)
        if parts is None:
            raise ValueError(
                f"{text!r} must be an address and a port, like 127.0.0.1:25, 10.0.0.0/24:514/udp"
                ' or "[fd00::5]:5432"'
            )
        port, protocol = int(parts["port"]), parts["protocol"] or "tcp"
        if not 0 < port < 65536:
            raise ValueError(f"{text!r}: port {port} must be from 1 to 65535")
        if protocol not in ("tcp", "udp"):
            raise ValueError(f"{text!r}: {protocol!r} must be tcp or udp")
        address = network(parts["bracketed"] or parts["plain"])
        return cls(ipaddress.ip_network(address), port, protocol)

    @property
    def family(self) -> str:
        """nft's name for it."""
        return "ip" if self.network.version == 4 else "ip6"

    @property
    def address(self) -> str:
        """The network, without a prefix length if it is a single address."""
        alone = self.network.num_addresses == 1
        return str(self.network.network_address if alone else self.network)

    def has(self, host: str) -> bool:
        """Whether it contains the host. False for a name, which is not resolved."""
        try:
            return ipaddress.ip_address(host) in self.network
        except ValueError:
            return False

    @property
    def loopback(self) -> bool:
        """Whether it includes loopback addresses."""
        return any(
            loopback.version == self.network.version and loopback.overlaps(self.network)
            for loopback in LOOPBACK
        )
