"""Visitors who ask a site for the same path all the while, over connections that stay.

A program of its own: what keeps the tests busy is no delay that the visitors see.
"""

from __future__ import annotations

import http.client
import json
import select
import socket
import ssl
import subprocess
import sys
import time
from base64 import b64encode
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Thread
from typing import Any

PAUSE = 0.01
"""Seconds after each answer: visitors are a load, but leave most of a core to what is tried."""


@dataclass
class Answers:
    """`failed` are statuses and errors, `slowest` is in seconds; `bodies` counts each body."""

    count: int = 0
    slowest: float = 0.0
    failed: list[str] = field(default_factory=list)
    bodies: Counter[str] = field(default_factory=Counter)


def connect(address: str, name: str) -> http.client.HTTPConnection:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    connection = http.client.HTTPConnection(name, 443, timeout=30)
    plain = socket.create_connection((address, 443), timeout=30)
    connection.sock = context.wrap_socket(plain, server_hostname=name)
    return connection


def visit(address: str, name: str, path: str, login: str, over: Event, answers: Answers) -> None:
    connection = None
    headers = {"Host": name}
    if login:
        headers["Authorization"] = f"Basic {b64encode(login.encode()).decode()}"
    while not over.is_set():
        began = time.monotonic()
        try:
            connection = connection or connect(address, name)
            connection.request("GET", path, headers=headers)
            response = connection.getresponse()
            body = response.read().decode()
            if response.status != 200:
                answers.failed.append(f"{response.status}: {body[:200]}")
            answers.bodies[body] += 1
            if response.will_close:
                connection = None
        except (OSError, http.client.HTTPException) as error:
            answers.failed.append(repr(error))
            connection = None
        answers.count += 1
        answers.slowest = max(answers.slowest, time.monotonic() - began)
        time.sleep(PAUSE)


def main(address: str, name: str, path: str, least: str, visitors: str) -> None:
    """Until stdin ends, and until there are so many answers. Its first line is a login."""
    login = sys.stdin.readline().strip()
    over, each = Event(), [Answers() for _ in range(int(visitors))]
    threads = [Thread(target=visit, args=(address, name, path, login, over, one)) for one in each]
    for thread in threads:
        thread.start()
    select.select([sys.stdin], [], [])
    while sum(one.count for one in each) < int(least):
        time.sleep(0.1)
    over.set()
    for thread in threads:
        thread.join()
    print(
        json.dumps(
            {
                "count": sum(one.count for one in each),
                "slowest": max(one.slowest for one in each),
                "failed": [failure for one in each for failure in one.failed],
                "bodies": dict(sum((one.bodies for one in each), Counter())),
            }
        )
    )


@contextmanager
def visited(
    address: str,
    name: str,
    path: str,
    least: int = 0,
    login: tuple[str, str] | None = None,
    visitors: int = 8,
) -> Iterator[dict[str, Any]]:
    """While this lasts; its value has the answers when it has ended."""
    command = [sys.executable, str(Path(__file__)), address, name, path, str(least), str(visitors)]
    answers: dict[str, Any] = {}
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as it:
        try:
            if it.stdin:
                it.stdin.write(":".join(login or ()) + "\n")
                it.stdin.flush()
            yield answers
            output, _ = it.communicate(timeout=900)
            answers.update(json.loads(output))
        finally:
            it.kill()


if __name__ == "__main__":
    main(*sys.argv[1:])
