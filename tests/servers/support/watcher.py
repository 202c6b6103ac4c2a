"""A second client that logs in all the while, by the old way or by the new one.

A program of its own: what keeps the tests busy is no outage that it sees.
"""

from __future__ import annotations

import json
import select
import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import paramiko

PATIENCE = 2.0
"""Seconds within which a client must be let in: sshd reopens its ports when it reads its files."""


def sources(address: str) -> str:
    """What the addresses begin with from which a server's clients come, another one for each
    attempt: sshd on Debian 13 and the firewall hold failures and haste against an address.

    From RFC 2544's range like the servers' own addresses; with the server's number, because
    others may be watched at the same time.
    """
    return f"198.19.{address.rsplit('.', 1)[1]}"


@dataclass(frozen=True)
class Way:
    user: str
    port: int = 22


@dataclass
class Seen:
    """How many logins there were, and the seconds that passed where none worked for too long. A
    login that a busy machine takes long for is no outage: somebody was turned away."""

    logins: int = 0
    outages: list[float] = field(default_factory=list)


def watch(address: str, key: paramiko.PKey, ways: Iterable[Way]) -> Seen:
    """Tries the ways in turn, the last one that led in first, until stdin ends."""
    seen, fresh, last = Seen(), fresh_sources(address), time.monotonic()
    ways, turned_away = list(ways), False
    while not select.select([sys.stdin], [], [], 0.4)[0]:
        way = next((way for way in ways if lets_in(address, key, way, next(fresh))), None)
        if way:
            ways.sort(key=lambda other: other != way)
            seen.logins += 1
            if turned_away and (passed := time.monotonic() - last) > PATIENCE:
                seen.outages.append(round(passed, 1))
            last, turned_away = time.monotonic(), False
        else:
            turned_away = True
    return seen


def fresh_sources(address: str) -> Iterator[str]:
    """From which the last minute has seen no attempt. Those from 251 on are left to tests: nobody
    has got in from there, which fail2ban would remember for an hour."""
    return (f"{sources(address)}.{n % 250 + 1}" for n in count(int(time.time() * 5)))


def lets_in(address: str, key: paramiko.PKey, way: Way, source: str) -> bool:
    with suppress(OSError, EOFError, paramiko.SSHException):
        plain = socket.create_connection((address, way.port), 0.5, source_address=(source, 0))
        with plain, paramiko.Transport(plain) as transport:
            transport.start_client(timeout=3)
            transport.auth_publickey(way.user, key)
            return transport.is_authenticated()
    return False


@contextmanager
def own_sources(address: str) -> Iterator[None]:
    """All of the server's sources are this machine's addresses."""
    route = ["local", f"{sources(address)}.0/24", "dev", "lo"]
    subprocess.run(["ip", "route", "replace", *route], check=True)
    yield
    subprocess.run(["ip", "route", "delete", *route], check=False)


@contextmanager
def watching(address: str, key: Path, *ways: Way) -> Iterator[Seen]:
    """What a watcher has seen until the end of the block."""
    seen = Seen()
    words = [f"{way.user}:{way.port}" for way in ways]
    command = [sys.executable, __file__, address, str(key), *words]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            yield seen
        finally:
            output, _ = process.communicate(timeout=20)
    vars(seen).update(json.loads(output))


def one_login(address: str, key: Path, way: Way) -> bool:
    """Whether a client gets in, now or as soon as sshd has read its files."""
    private = paramiko.Ed25519Key.from_private_key_file(str(key))
    fresh, until = fresh_sources(address), time.monotonic() + PATIENCE
    while time.monotonic() < until:
        if lets_in(address, private, way, next(fresh)):
            return True
        time.sleep(0.4)
    return False


def main(address: str, key: str, *words: str) -> None:
    parts = (word.split(":") for word in words)
    ways = [Way(user, int(port)) for user, port in parts]
    print(json.dumps(vars(watch(address, paramiko.Ed25519Key.from_private_key_file(key), ways))))


if __name__ == "__main__":
    main(*sys.argv[1:])
