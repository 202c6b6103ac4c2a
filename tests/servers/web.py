"""Requests to a test server by its address, whatever DNS says of the name."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit


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

    def handshake(self, name: str, **versions: ssl.TLSVersion) -> ssl.SSLSocket:
        """A TLS connection that offers HTTP/2; `minimum_version` and `maximum_version` apply."""
        context = self._context()
        context.set_alpn_protocols(["h2", "http/1.1"])
        for key, version in versions.items():
            setattr(context, key, version)
        plain = socket.create_connection((self.address, 443), timeout=10)
        return context.wrap_socket(plain, server_hostname=name)

    def _context(self) -> ssl.SSLContext:
        context = ssl.create_default_context(cadata=self.authority)
        if self.authority is None:
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
