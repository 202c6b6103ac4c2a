"""A long wire to a server: a TCP relay that delays what passes, and can be cut.

A process of its own, so that what it takes is no part of what is measured through it.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import struct
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lab import tree
from lab.server import LabServer

Wire = asyncio.Queue[tuple[float, bytes]]
"""What is under way, and when it arrives; no bytes are the end."""

HOST = """\
Host {name}
    HostName 127.0.0.1
    Port {port}
    User {user}
    IdentityFile {key}
    IdentitiesOnly yes
    UserKnownHostsFile {known_hosts}
    StrictHostKeyChecking yes
    LogLevel ERROR
"""


@dataclass
class Relay:
    """Listens on a port of its own on 127.0.0.1 while its context lasts.

    `delay` is in seconds, each way. What is sent meanwhile follows at the same distance, as on a
    real wire: a delay, not a limit of how much passes. A connection over which more than
    `cut_to_server` or `cut_to_client` bytes want to pass breaks there, for both ends, without a
    goodbye.
    """

    address: str
    port: int = 22
    delay: float = 0.0
    cut_to_server: float = float("inf")
    cut_to_client: float = float("inf")

    def __enter__(self) -> Relay:
        command = [sys.executable, __file__, json.dumps(asdict(self))]
        self._said = tempfile.TemporaryFile("a+")
        finds_the_same = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
        self._process = subprocess.Popen(command, stdout=self._said, env=finds_the_same)
        for _ in range(1000):
            if self._lines():
                return self
            time.sleep(0.01)
        self._process.kill()
        raise TimeoutError(f"the relay to {self.address} does not start")

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        self._said.close()

    @property
    def local_port(self) -> int:
        return int(self._lines()[0])

    @property
    def cuts(self) -> int:
        """How many connections it has broken so far."""
        return len(self._lines()) - 1

    def _lines(self) -> list[str]:
        self._said.seek(0)
        return self._said.read().splitlines()

    def ssh_config(self, server: LabServer, directory: Path) -> Path:
        """An SSH configuration in `directory` that reaches the server by its name through here."""
        known_hosts = directory / f"{server.name}.known_hosts"
        known_hosts.write_text(f"[127.0.0.1]:{self.local_port} {tree.host_key(server.root)}\n")
        config = directory / f"{server.name}.ssh_config"
        config.write_text(
            HOST.format(
                name=server.name,
                port=self.local_port,
                user=server.user,
                key=server.lab / "key",
                known_hosts=known_hosts,
            )
        )
        return config


# --- In the process of its own ---


async def serve(relay: Relay) -> None:
    async def accept(*near: Any) -> None:
        await join(relay, *near)

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


async def join(relay: Relay, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Connects a client with the server until one of them ends it, or it is cut."""
    # TCP's own handshake crosses the wire three times before a server hears of it.
    await asyncio.sleep(3 * relay.delay)
    try:
        far_reader, far_writer = await asyncio.open_connection(relay.address, relay.port)
    except OSError:
        reset(writer)
        return
    to_server: Wire = asyncio.Queue()
    to_client: Wire = asyncio.Queue()
    parts = [
        asyncio.ensure_future(take(reader, to_server, relay.delay)),
        asyncio.ensure_future(deliver(to_server, far_writer, relay.cut_to_server)),
        asyncio.ensure_future(take(far_reader, to_client, relay.delay)),
        asyncio.ensure_future(deliver(to_client, writer, relay.cut_to_client)),
    ]
    try:
        await asyncio.gather(*parts)
        writer.close()
        far_writer.close()
    except OSError:
        for part in parts:
            part.cancel()
        reset(writer)
        reset(far_writer)


async def take(source: asyncio.StreamReader, wire: Wire, delay: float) -> None:
    data = b"-"
    while data:
        data = await source.read(65536)
        wire.put_nowait((time.monotonic() + delay, data))


async def deliver(wire: Wire, sink: asyncio.StreamWriter, limit: float) -> None:
    connection: socket.socket = sink.get_extra_info("socket")
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    while True:
        due, data = await wire.get()
        await asyncio.sleep(due - time.monotonic())
        if not data:
            sink.write_eof()
            return
        sink.write(data[: int(min(limit, len(data)))])
        await sink.drain()
        limit -= len(data)
        if limit < 0:
            print("cut", flush=True)
            raise ConnectionResetError("cut")


def reset(writer: asyncio.StreamWriter) -> None:
    """Ends the connection without a goodbye."""
    connection: socket.socket = writer.get_extra_info("socket")
    if connection.fileno() != -1:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


if __name__ == "__main__":
    asyncio.run(serve(Relay(**json.loads(sys.argv[1]))))
