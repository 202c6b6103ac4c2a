"""Requests to a test server by its address, whatever DNS says of the name."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Event
from typing import Any, BinaryIO
from urllib.parse import urlsplit

# Frames of HTTP/2, and their flags: RFC 9113, section 6.
DATA, HEADERS, RST_STREAM, SETTINGS, GOAWAY = 0, 1, 3, 4, 7
END_STREAM, END_HEADERS = 1, 4


@dataclass(frozen=True)
class Response:
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Web:
    """A client of one server. `authority` is a CA certificate (PEM) to trust, None to trust all."""

    address: str
    authority: str | None = None

    def get(self, url: str, **arguments: Any) -> Response:
        return self.request("GET", url, **arguments)

    def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        login: tuple[str, str] | None = None,
        body: bytes | None = None,
    ) -> Response:
        parts = urlsplit(url)
        assert parts.hostname
        connection = self._connection(parts.scheme, parts.hostname)
        all_headers = {"Host": parts.hostname, **(headers or {})}
        if login:
            token = b64encode(":".join(login).encode()).decode()
            all_headers["Authorization"] = f"Basic {token}"
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        for key, value in all_headers.items():
            connection.putheader(key, value)
        if body is not None:
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders()
        try:
            if body is not None:
                connection.send(body)
        except (BrokenPipeError, ConnectionResetError):
            pass  # nginx answers 413 before it has read everything
        response = connection.getresponse()
        result = Response(response.status, response.headers, response.read())
        connection.close()
        return result

    def raw(self, name: str, request: bytes) -> bytes:
        """The answer to these bytes over a TLS connection to the name; nothing is added to them."""
        with self.handshake(name, protocols=["http/1.1"]) as connection:
            connection.sendall(request)
            return b"".join(iter(lambda: connection.recv(65536), b""))

    def http2(self, name: str, headers: Sequence[tuple[str, str]]) -> bytes:
        """The body that answers a request of exactly these headers, pseudo-headers included."""
        with self.handshake(name) as connection:
            assert connection.selected_alpn_protocol() == "h2"
            block = b"".join(map(_literal, headers))
            connection.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + _frame(SETTINGS, 0, 0))
            connection.sendall(_frame(HEADERS, END_STREAM | END_HEADERS, 1, block))
            return b"".join(_data(connection.makefile("rb")))

    def handshake(
        self, name: str, protocols: Sequence[str] = ("h2", "http/1.1"), **versions: ssl.TLSVersion
    ) -> ssl.SSLSocket:
        """A TLS connection that offers HTTP/2; `minimum_version` and `maximum_version` apply."""
        context = self._context()
        context.set_alpn_protocols(list(protocols))
        for key, version in versions.items():
            setattr(context, key, version)
        plain = socket.create_connection((self.address, 443), timeout=10)
        return context.wrap_socket(plain, server_hostname=name)

    def _context(self) -> ssl.SSLContext:
        if self.authority:
            return ssl.create_default_context(cadata=self.authority)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context

    def _connection(self, scheme: str, name: str) -> http.client.HTTPConnection:
        port = 443 if scheme == "https" else 80
        connection = http.client.HTTPConnection(name, port, timeout=30)
        plain = socket.create_connection((self.address, port), timeout=10)
        plain.settimeout(60)
        secure = scheme == "https"
        connection.sock = (
            self._context().wrap_socket(plain, server_hostname=name) if secure else plain
        )
        return connection


def _literal(header: tuple[str, str]) -> bytes:
    """A header as HPACK writes one that goes into no table: RFC 7541, section 6.2.2."""
    name, value = (text.encode() for text in header)
    return bytes([0, len(name)]) + name + bytes([len(value)]) + value


def _frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    head = len(payload).to_bytes(3) + bytes([kind, flags]) + stream.to_bytes(4)
    return head + payload


def _data(frames: BinaryIO) -> Iterator[bytes]:
    """What the frames carry of the body, until the stream or the connection ends."""
    while head := frames.read(9):
        kind, flags, payload = head[3], head[4], frames.read(int.from_bytes(head[:3]))
        if kind == DATA:
            yield payload
        if kind in (RST_STREAM, GOAWAY) or (kind in (DATA, HEADERS) and flags & END_STREAM):
            return


@contextmanager
def under_load(web: Web, url: str) -> Iterator[list[int]]:
    """Four clients ask for the URL again and again, with pauses that leave the machine to others;
    the list has the status of each answer, and is complete when the block ends."""
    statuses: list[int] = []
    over = Event()

    def ask(_: int) -> None:
        while not over.wait(0.02):
            statuses.append(web.get(url).status)

    with ThreadPoolExecutor(4) as clients:
        asked = clients.map(ask, range(4))
        try:
            yield statuses
        finally:
            over.set()
        list(asked)
