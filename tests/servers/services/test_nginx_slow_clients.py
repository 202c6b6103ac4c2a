"""Clients that are slow on purpose: they cost the site they ask for, not the one beside it."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress

from provisioned import Provisioned
from tampering import Guarded

from lab.server import LabServer

STAGING, PRODUCTION = "staging.askpro.test", "api.askpro.test"

BODY = f"POST /api/x HTTP/1.1\r\nHost: {STAGING}\r\nContent-Length: 1000\r\n\r\nbegun".encode()
HEAD = f"GET /api/x HTTP/1.1\r\nHost: {STAGING}\r\nX-Slow: ".encode()


@contextmanager
def slow(
    connect: Callable[[], socket.socket], begun: bytes, count: int
) -> Iterator[list[socket.socket]]:
    """So many connections that have sent this much and do not go on."""
    with ExitStack() as stack:
        held = []
        for _ in range(count):
            with suppress(OSError):
                held.append(stack.enter_context(connect()))
                held[-1].sendall(begun)
        yield held


def plain(server: LabServer) -> socket.socket:
    return socket.create_connection((server.address, 80), timeout=5)


def refused(held: list[socket.socket]) -> int:
    """How many of them the server has answered or closed."""
    count = 0
    for connection in held:
        connection.settimeout(0.01)
        try:
            connection.recv(1)
        except TimeoutError:
            continue
        except ConnectionResetError:
            pass
        count += 1
    return count


def test_one_address_holds_so_many_requests_of_a_site_and_no_more(trixie: Provisioned) -> None:
    with slow(lambda: trixie.web.handshake(STAGING, ["http/1.1"]), BODY, 140) as held:
        assert len(held) == 140
        until = time.monotonic() + 10
        while refused(held) < 140 - 128 and time.monotonic() < until:
            time.sleep(0.5)
        assert refused(held) == 140 - 128
        assert trixie.web.get(f"https://{STAGING}/health").status == 503
        assert trixie.web.get(f"https://{PRODUCTION}/health").status == 200


def test_a_header_that_does_not_come_to_its_end_is_given_up(trixie: Provisioned) -> None:
    """A byte now and then does not prolong it."""
    with slow(lambda: plain(trixie.server), HEAD, 1) as held:
        began = time.monotonic()
        while not refused(held) and time.monotonic() < began + 20:
            time.sleep(1)
            with suppress(OSError):
                held[0].sendall(b"x")
        assert 8 < time.monotonic() - began < 15


ASK_FROM_ANOTHER_ADDRESS = (
    rf"printf 'GET /health HTTP/1.1\r\nHost: {PRODUCTION}\r\nConnection: close\r\n\r\n' |"
    f" timeout 10 openssl s_client -quiet -connect 127.0.0.1:443 -servername {PRODUCTION} 2>&1"
)


def test_one_address_does_not_use_up_nginx(guarded: Guarded) -> None:
    """Two workers have 1536 connections. nginx counts none whose header is not whole."""
    with slow(lambda: plain(guarded.server), HEAD, 2000) as held:
        assert 200 < len(held) <= 256
        assert "HTTP/1.1 200" in guarded.shell(ASK_FROM_ANOTHER_ADDRESS)
