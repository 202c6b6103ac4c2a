"""The relay is a wire: a delay in each direction, no limit of what passes, and it can be cut."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest
from relay import Relay


@pytest.fixture
def echo() -> Iterator[int]:
    """The port of a server of this machine that sends back what it gets."""

    def answer(connection: socket.socket) -> None:
        with connection, suppress(ConnectionError):
            while data := connection.recv(65536):
                connection.sendall(data)

    def accept(server: socket.socket) -> None:
        with suppress(OSError):
            while True:
                connection, _ = server.accept()
                threading.Thread(target=answer, args=[connection], daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=accept, args=[server], daemon=True).start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)


def receive(connection: socket.socket, count: int) -> bytes:
    received = b""
    while len(received) < count and (data := connection.recv(65536)):
        received += data
    return received


def test_what_passes_is_late_and_whole(echo: int) -> None:
    with (
        Relay("127.0.0.1", echo, delay=0.1) as relay,
        socket.create_connection(("127.0.0.1", relay.local_port), timeout=10) as connection,
    ):
        began = time.monotonic()
        for count in range(20):
            connection.sendall(bytes([count]) * 1000)
            time.sleep(0.01)
        assert receive(connection, 20000) == b"".join(bytes([n]) * 1000 for n in range(20))
        # 0.3 s until the server hears of the connection, then both ways once, not twenty times.
        assert 0.4 < time.monotonic() - began < 2
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(1) == b""
        assert relay.cuts == 0


@pytest.mark.parametrize("direction", ["cut_to_server", "cut_to_client"])
def test_a_cut_ends_both_sides(echo: int, direction: str) -> None:
    with (
        Relay("127.0.0.1", echo, **{direction: 1000}) as relay,  # type: ignore[arg-type]
        socket.create_connection(("127.0.0.1", relay.local_port), timeout=10) as connection,
    ):
        connection.sendall(b"x" * 1000)
        assert receive(connection, 1000) == b"x" * 1000
        connection.sendall(b"y")
        with pytest.raises(ConnectionError):
            connection.recv(1)
        assert relay.cuts == 1
