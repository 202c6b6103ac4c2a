"""What a site may connect to: as it is written, and as nft and systemd are told."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from stagecraft.facts.machine import Machine, MachineFact
from stagecraft.services import Reach
from stagecraft.settings import Server, Site
from stagecraft.settings.addresses import Destination
from tasks.php_fpm import reached
from tasks.reach import nodes

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA anna@laptop"


@pytest.mark.parametrize(
    ("text", "nft"),
    [
        ("127.0.0.1:25", "ip daddr 127.0.0.1 tcp dport 25 accept"),
        ("127.0.0.1:25/tcp", "ip daddr 127.0.0.1 tcp dport 25 accept"),
        ("10.0.0.0/24:514/udp", "ip daddr 10.0.0.0/24 udp dport 514 accept"),
        ("[fd00::5]:5432", "ip6 daddr fd00::5 tcp dport 5432 accept"),
        ("[fd00::/64]:53/udp", "ip6 daddr fd00::/64 udp dport 53 accept"),
    ],
)
def test_a_destination_becomes_a_rule(make_site: Callable[..., Site], text: str, nft: str) -> None:
    rules = rendered(make_site(reach=[text]))
    assert nft in rules
    assert rules.index(nft) < rules.index("@inside4 jump refuse")


def rendered(site: Site, **server: Any) -> str:
    """The text of its rules."""
    there = Server(name="askpro-1", address="askpro-1", **server)
    return next(node for node in nodes(site, there) if node.path == Reach(site.name).rules).content  # type: ignore[union-attr]


def test_connections_are_counted_where_the_firewall_tracks_them(
    make_site: Callable[..., Site],
) -> None:
    """The rule itself would have the kernel begin with it."""
    host = {"admins": {"anna": [KEY]}, "timezone": "Europe/Berlin"}
    assert "ct count" in rendered(make_site(), host=host)
    assert "ct count" not in rendered(make_site(), host={**host, "firewall": None})
    assert "ct count" not in rendered(make_site())


@pytest.mark.parametrize(
    ("text", "loopback"),
    [
        ("127.0.0.1:25", True),
        ("127.0.0.53:25", True),
        ("[::1]:25", True),
        ("0.0.0.0/0:25", True),
        ("10.0.0.5:25", False),
        ("[fd00::1]:25", False),
    ],
)
def test_what_is_this_machine(text: str, loopback: bool) -> None:
    assert Destination.parse(text).loopback is loopback


def test_the_unit_lets_through_resolvers_that_it_would_close_and_what_is_declared(
    make_site: Callable[..., Site], make_machine: Callable[..., Machine]
) -> None:
    machine = make_machine(resolvers=("10.0.0.2", "127.0.0.53", "168.63.129.16", "fe80::1"))
    site = make_site(reach=["10.0.0.9:25", "[::1]:25"])
    assert reached(site, machine) == [
        "127.0.0.53",
        "168.63.129.16",
        "fe80::1",
        "10.0.0.9",
        "::1",
    ]
    assert reached(make_site(), make_machine()) == []


def test_resolvers_are_read_and_what_is_no_address_is_none(read_here: Any) -> None:
    lines = ["uid=0", "architecture=amd64", "memory_kb=1000000", "ipv6=yes"]
    resolvers = ["resolver=fe80::1%eth0", "resolver=127.0.0.53", "resolver=127.0.0.53"]
    found = MachineFact().process([*lines, *resolvers, "resolver=x\nIPAddressAllow=any"])
    assert found.resolvers == ("127.0.0.53", "fe80::1")
