"""What a site's user connects to, and that nothing lifts its limits for longer than to the next
run. What staging tries against production in all of that: test_isolation.py."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from isolation import as_user
from provisioned import Provisioned, bound, quote
from tampering import Guarded

from tasks.reach import MOST_CONNECTIONS

SITE = "askpro-staging"
LOADED = f"Reach | Load the limits of what {SITE} connects to"
PORTS = (6400, 6402)

SERVE = """
foreach ([6400, 6402] as $port) {
    foreach (['127.0.0.1', '[::1]'] as $address) {
        $all[] = stream_socket_server("tcp://$address:$port");
    }
}
sleep(600);
"""

ANSWER = """
$server = stream_socket_server('udp://127.0.0.53:53', $code, $error, STREAM_SERVER_BIND);
while ($query = stream_socket_recvfrom($server, 512, 0, $client)) {
    $end = strpos($query, "\\0", 12) + 5;
    $found = substr($query, $end - 4, 2) === "\\0\\1";
    $answer = $found ? "\\xc0\\x0c\\0\\1\\0\\1\\0\\0\\0\\x3c\\0\\4\\xc6\\x33\\x64\\x07" : '';
    $header = substr($query, 0, 2) . "\\x81\\x80\\0\\1\\0" . chr((int) $found) . "\\0\\0\\0\\0";
    stream_socket_sendto($server, $header . substr($query, 12, $end - 12) . $answer, 0, $client);
}
"""
"""A name server that knows one address for every name: 198.51.100.7."""


def background(unit: str, code: str, ready: str) -> str:
    return f"systemd-run --quiet --unit={unit} php -r {quote(code)} && {ready}"


@pytest.fixture(scope="module")
def serving(host: Provisioned) -> Iterator[Provisioned]:
    """With listeners on loopback that are nobody's."""
    host.ssh(background("listeners", SERVE, bound(PORTS[-1])))
    yield host
    host.ssh("systemctl stop listeners")


def connects(host: Provisioned, who: str, address: str, port: int) -> bool:
    return as_user(host, who, f"php -r 'exit((int) !@fsockopen(\"{address}\", {port}));'")


def reached(host: Provisioned, who: str) -> list[tuple[str, int]]:
    """Those of the listeners that this user connects to."""
    every = [(address, port) for address in ("127.0.0.1", "[::1]") for port in PORTS]
    return [(address, port) for address, port in every if connects(host, who, address, port)]


def test_a_site_reaches_nothing_on_loopback_and_root_does(serving: Provisioned) -> None:
    assert len(reached(serving, "root")) == 4
    for site in (SITE, "shop-staging"):
        assert reached(serving, site) == []


def test_what_a_site_declares_it_reaches_and_nothing_else(serving: Provisioned) -> None:
    reach = ["127.0.0.1:6400", "[::1]:6402"]
    try:
        with serving.project.edited("staging", {"sites": {"askpro": {"reach": reach}}}):
            plan = serving.project.plan("staging")
            assert f"Reach | Limit what {SITE} connects to: reload" in plan
            assert f"PHP-FPM | Run PHP-FPM of {SITE}: restart" in plan
            assert serving.project.apply("staging") == plan
            assert reached(serving, SITE) == [("127.0.0.1", 6400), ("[::1]", 6402)]
            assert reached(serving, "shop-staging") == []
            assert serving.project.plan("staging") == []
    finally:
        serving.project.apply("staging")
    assert reached(serving, SITE) == []


@pytest.mark.parametrize(
    ("change", "plan"),
    [
        ("nft flush ruleset", [LOADED, LOADED.replace(SITE, "shop-staging")]),
        # As it would be for a user who was deleted and made anew.
        (f"sed 's/\"{SITE}\"/4242/' /etc/stagecraft/reach/{SITE}.nft | nft -f -", [LOADED]),
    ],
    ids=["flushed", "of another id"],
)
def test_the_next_run_puts_the_limits_back(
    trixie: Provisioned, change: str, plan: list[str]
) -> None:
    trixie.ssh(change)
    assert connects(trixie, SITE, "127.0.0.1", 22)
    assert trixie.project.plan("staging") == plan
    assert trixie.project.apply("staging") == plan
    assert not connects(trixie, SITE, "127.0.0.1", 22)
    if "flush ruleset" in change:
        assert trixie.project.apply("production") == [LOADED.replace(SITE, "askpro-production")]


def test_names_are_resolved_by_whatever_resolv_conf_names(trixie: Provisioned) -> None:
    look_up = 'php -r \'exit((int) (gethostbyname("probe.example") !== "198.51.100.7"));\''
    trixie.ssh("cp --no-preserve=mode /etc/resolv.conf /root/resolv.conf")
    trixie.ssh("echo nameserver 127.0.0.53 >/etc/resolv.conf")
    try:
        assert not as_user(trixie, SITE, look_up)
        trixie.ssh(background("resolver", ANSWER, bound(53, "udp")))
        assert as_user(trixie, SITE, look_up)
        assert trixie.project.apply("staging")
        shown = trixie.ssh(f"systemctl show --property=IPAddressAllow php-fpm@{SITE}")
        assert shown == "IPAddressAllow=127.0.0.53/32"
    finally:
        trixie.ssh("systemctl stop resolver; cat /root/resolv.conf >/etc/resolv.conf")
        trixie.project.apply("staging")


def test_the_rules_are_there_before_any_service_starts(host: Provisioned) -> None:
    before = host.ssh(f"systemctl show --property=Before --value stagecraft-reach@{SITE}").split()
    assert "sysinit.target" in before


ASK_EVERYWHERE = """
$socket = socket_create(AF_INET, SOCK_DGRAM, SOL_UDP);
$end = microtime(true) + 10;
for ($port = 1024; $port < 21024 && microtime(true) < $end; $port++) {
    @socket_sendto($socket, 'x', 1, 0, '203.0.113.1', $port);
}
"""
"""Without a limit that takes less than a second; the nearer it is, the longer each takes."""

NOWHERE = """
ip link add nowhere type veth peer name nowhere-end
ip link set nowhere up
ip link set nowhere-end up
ip route add 203.0.113.0/24 dev nowhere
ip neighbour add 203.0.113.1 lladdr 02:00:00:00:00:01 nud permanent dev nowhere
"""


def test_a_site_does_not_use_up_the_connections_that_the_kernel_tracks(
    guarded_12: Guarded,
) -> None:
    """Beyond the kernel's limit it would drop production's, too."""
    become = f"setpriv --reuid {SITE} --regid {SITE} --clear-groups"
    tracked = "cat /proc/sys/net/netfilter/nf_conntrack_count"
    guarded_12.shell(NOWHERE)
    try:
        guarded_12.shell(f"{become} php -r {quote(ASK_EVERYWHERE)}")
        assert 1000 < int(guarded_12.shell(tracked)) < MOST_CONNECTIONS + 500
        guarded_12.shell(f"php -r {quote(ASK_EVERYWHERE)}")
        assert int(guarded_12.shell(tracked)) > MOST_CONNECTIONS + 2500
    finally:
        guarded_12.shell("ip link del nowhere")
