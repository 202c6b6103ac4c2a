"""What explains an account, a group, a name and what the kernel was given, and what does not."""

from __future__ import annotations

from base64 import b64encode

import pytest

from stagecraft.drift.judging.unmanaged import identity as judging
from stagecraft.drift.judging.unmanaged import kernel_state
from stagecraft.facts.as_found import noted
from stagecraft.facts.identity import Identity, IdentityFact
from stagecraft.facts.network import NetworkFact, Part

DEBIAN = (
    ("fixed", "root", "0:0:/root:/bin/bash"),
    ("fixed", "www-data", "33:33:/var/www:/usr/sbin/nologin"),
    ("sysusers", "dbus", ""),
    ("sysusers member", "dialout", "dbus"),
    ("package", "redis-server", ""),
    ("group", "root", "0"),
    ("group", "shadow", "42"),
    ("group", "www-data", "33"),
    ("group", "dialout", "20"),
)


def identity(*rows: tuple[str, str, str]) -> Identity:
    return Identity((*DEBIAN, *rows))


def accounts(*rows: tuple[str, str, str]) -> list[tuple[str, str]]:
    known = identity(*rows)
    found = [
        *judging.accounts(known, known, {"askpro-staging"}, {"anna"}),
        *judging.fields(known, {"anna"}),
        *judging.passwords(known),
        *judging.groups(known, known, {"askpro-staging"}),
        *judging.ranges(known),
    ]
    return [(finding.kind, finding.thing) for finding in found]


def account(name: str, its: str) -> tuple[str, str, str]:
    return "account", name, its


class TestAccounts:
    @pytest.mark.parametrize(
        "row",
        [
            account("root", "0:0:/root:/usr/bin/zsh"),
            account("www-data", "33:33:/var/www:/usr/sbin/nologin"),
            account("dbus", "997:997:/nonexistent:/usr/sbin/nologin"),
            account("redis", "101:103:/var/lib/redis:/usr/sbin/nologin"),
            account("redis-askpro-staging", "990:990:/var/lib/x:/usr/sbin/nologin"),
            account("stagecraft-drift", "991:991:/var/lib/stagecraft-drift:/usr/sbin/nologin"),
            account("ci_staging", "992:992:/var/lib/stagecraft/ci:/bin/sh"),
            account("anna", "1000:1000:/home/anna:/bin/bash"),
            # Findings of the accounts' area.
            account("bob", "1001:1001:/home/bob:/bin/bash"),
            account("www-data", "33:33:/var/www:/bin/bash"),
            account("toor", "0:0:/root:/bin/sh"),
            ("ageing", "anna", "20787:0:99999:7::"),
            ("ageing", "dbus", "20787:::::1"),
            ("member", "dialout", "dbus"),
            ("member", "sudo", "bob"),
        ],
        ids=str,
    )
    def test_explained(self, row: tuple[str, str, str]) -> None:
        assert accounts(row) == []

    @pytest.mark.parametrize(
        ("row", "finding"),
        [
            (account("memcache", "101:103:/x:/bin/false"), ("account", "memcache")),
            (account("www-data", "0:33:/var/www:/usr/sbin/nologin"),
             ("account field", "www-data uid")),
            (account("dbus", "997:997:/tmp:/usr/sbin/nologin"), ("account field", "dbus home")),
            (account("anna", "1000:1000:/home/anna:/home/anna/sh"),
             ("account field", "anna shell")),
            (account("dbus", "997:42:/:/usr/sbin/nologin"), ("group member", "dbus in shadow")),
            (("password", "anna", "set"), ("password", "anna in /etc/passwd")),
            (("ageing", "anna", "20787:0:99999:7:3:"), ("password ageing", "anna")),
            (("ageing", "anna", "20787:0:90:7::"), ("password ageing", "anna")),
            (("member", "dialout", "bob"), ("group member", "bob in dialout")),
            (("group", "wheel", "0"), ("same id", "wheel")),
            (("group password", "shadow", "set"), ("group password", "shadow")),
            (("administrator", "shadow", "bob"), ("group administrator", "bob of shadow")),
            (("subuid", "bob:100000:65536", ""), ("id range", "subuid bob:100000:65536")),
            (("subgid", "x", ""), ("id range", "subgid x")),
        ],
        ids=str,
    )  # fmt: skip
    def test_unexplained(self, row: tuple[str, str, str], finding: tuple[str, str]) -> None:
        assert accounts(row) == [finding]

    def test_an_own_policy_of_passwords_is_everybody_s(self) -> None:
        policy = ("default", "PASS_MAX_DAYS", "90")
        assert accounts(policy, ("ageing", "anna", "20787:0:90:7::")) == []

    def test_a_second_range_of_a_person_has_to_start_elsewhere(self) -> None:
        person = account("anna", "1000:1000:/home/anna:/bin/bash")
        one, other = ("subuid", "anna:100000:65536", ""), ("subuid", "bob:100000:65536", "")
        assert accounts(person, one) == []
        assert accounts(person, account("bob", "1001:1001:/home/bob:/bin/bash"), one, other) == [
            ("id range", "subuid bob:100000:65536")
        ]

    def test_two_of_one_id_are_one_finding(self) -> None:
        one = account("askpro-staging", "999:999:/var/www/askpro-staging:/usr/sbin/nologin")
        assert accounts(one, account("x", "999:999:/:/usr/sbin/nologin")) == [("same id", "x")]


class TestNames:
    def found(self, *rows: tuple[str, str, str]) -> list[str]:
        known = Identity((("hostname", "askpro-1", ""), *rows))
        hosts = judging.hosts(known, known)
        return [found.thing for found in (*judging.names(known), *hosts, *judging.trust(known))]

    def test_explained(self) -> None:
        assert not self.found(
            ("names", "passwd", "files systemd"),
            ("names", "hosts", "files mymachines dns"),
            ("host", "127.0.0.1", "localhost localhost.localdomain"),
            ("host", "ff02::1", "ip6-allnodes"),
            ("host", "203.0.113.7", "askpro-1.example.com askpro-1"),
        )

    def test_unexplained(self) -> None:
        assert self.found(
            ("names", "shadow", "files ldap"),
            ("host", "127.0.0.1", "localhost deb.debian.org"),
            ("host", "203.0.113.7", "localhost"),
            ("authority", "/etc/ssl/certs/x.pem", ""),
        ) == [
            "shadow",
            "deb.debian.org 127.0.0.1",
            "localhost 203.0.113.7",
            "/etc/ssl/certs/x.pem",
        ]


def printed(*fields: str) -> list[str]:
    text = "".join(f"{field}\0" for field in fields)
    return [b64encode(text.encode("utf-8", "surrogateescape")).decode()]


def test_what_the_first_day_had_is_no_more_than_that() -> None:
    answer = printed("host", "::1", "a b", "password", "anna", "set", "host", "::2", "\n")
    found = IdentityFact().process(answer)
    first = found.first_day
    assert first == {noted("host", "::1", "a b"), "host\t::2\t-"}
    assert found.since(first).found == (("password", "anna", "set"),)


def test_only_what_nothing_explains_is_of_the_first_day() -> None:
    answer = printed("route", "default via 203.0.113.1 dev eth0", "", "rule", "-4 0 x", "usual")
    found = NetworkFact().process(answer)
    assert found.first_day == {noted("route", "default via 203.0.113.1 dev eth0")}


@pytest.mark.parametrize(
    ("part", "remedy"),
    [
        (Part("route", "-6 blackhole 2001:db8::/32"),
         "ip -6 route delete blackhole 2001:db8::/32"),
        (Part("route", "default via 192.0.2.1 dev eth0 table 9"),
         "ip -4 route delete default via 192.0.2.1 dev eth0 table 9"),
        (Part("rule", "-4 99 src 192.0.2.1 table 99"), "ip -4 rule delete priority 99"),
        (Part("setting", "kernel.modprobe /tmp/x"), "sysctl -w kernel.modprobe=/sbin/modprobe"),
        (Part("setting", "net.ipv4.ip_forward 1"), "sysctl -w net.ipv4.ip_forward=0"),
        (Part("module", "evil"), "rmmod evil"),
        (Part("binary format", "a;b"), "echo -1 >/proc/sys/fs/binfmt_misc/'a;b'"),
        (Part("resolver", "192.0.2.1"), r"sed -i '/^nameserver *192\.0\.2\.1/d' /etc/resolv.conf"),
    ],
)  # fmt: skip
def test_remedies(part: Part, remedy: str) -> None:
    assert kernel_state.finding(part, kernel_state.WAYS[part.kind]).remedy == remedy
