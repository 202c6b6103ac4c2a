"""Calls the program on a server over OpenSSH."""

import os
import shlex
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Thread
from typing import IO

import click

from stagecraft.harmless import harmless
from stagecraft.inventory import known_hosts, login
from stagecraft.services import Program
from stagecraft.settings import Server

LOST = 255
"""ssh's exit code for its own problems."""

CHUNK = 1 << 16

MOST = 50_000_000
"""Bytes of an answer."""


def ssh(server: Server, root: Path, words: Sequence[str]) -> list[str]:
    """The command that runs the words as root on the server, with the login and the host key that
    runs use."""
    usual = login(server)
    user, port = usual["ssh_user"], usual["ssh_port"]
    pinned = known_hosts(server, root)
    become = [] if server.ssh_user == "root" else ["sudo", "-n"]
    return [
        *("ssh", "-T"),
        *(["-F", server.ssh_config] if server.ssh_config else []),
        *(["-i", server.ssh_key] if server.ssh_key else []),
        *(["-l", user] if user else []),
        *(["-p", str(port)] if port else []),
        *([f"-oUserKnownHostsFile={pinned}", "-oStrictHostKeyChecking=yes"] if pinned else []),
        "--",
        server.address,
        shlex.join([*become, Program.path, *words]),
    ]


def call(server: Server, root: Path, words: Sequence[str], archive: Path | None = None) -> int:
    """Shows what the program prints, as it comes. Its exit code; raises click.ClickException if the
    connection was lost."""
    with running(ssh(server, root, words), archive) as process:
        if archive:
            send(archive, process)
        show(process.stdout)
    if process.returncode == LOST:
        raise click.ClickException(
            f"the login to {server.name} failed, or the connection ended. What runs there goes on:"
            " `stagecraft follow` shows it"
        )
    return process.returncode


def ask(server: Server, root: Path, words: Sequence[str]) -> bytes:
    """What the program prints. Raises click.ClickException if it fails, or for too much."""
    with running(ssh(server, root, words)) as process:
        answer = process.stdout.read(MOST) if process.stdout else b""
        if len(answer) == MOST:
            process.kill()
            raise click.ClickException(f"{server.name} answers more than {MOST} bytes")
    if process.returncode == LOST:
        raise click.ClickException(f"the login to {server.name} failed, or the connection ended")
    if process.returncode:
        raise click.ClickException(f"`stagecraft {words[0]}` failed on {server.name}")
    return answer


@contextmanager
def running(command: list[str], archive: Path | None = None) -> Iterator[subprocess.Popen[bytes]]:
    """Shows its errors as they come. The thread is not waited for: an ssh that stays in the
    background for the next connection keeps its end of the pipe open."""
    reading, writing = os.pipe()
    errors = os.fdopen(reading, "rb", buffering=0)
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE if archive else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=writing,
        )
    finally:
        os.close(writing)
    thread = Thread(target=show, args=(errors, True), daemon=True)
    thread.start()
    with process:
        yield process
    thread.join(timeout=1)


def show(lines: IO[bytes] | None, err: bool = False) -> None:
    for line in lines or ():
        click.echo(harmless(line.decode(errors="surrogateescape").rstrip("\r\n")), err=err)


def send(archive: Path, process: subprocess.Popen[bytes]) -> None:
    """Shows how much is sent, on a terminal. A program that ends earlier says itself why."""
    bar = click.progressbar(
        length=archive.stat().st_size,
        label="Uploading",
        file=sys.stderr,
        hidden=not sys.stderr.isatty(),
    )
    if process.stdin:
        with suppress(BrokenPipeError), archive.open("rb") as file, process.stdin, bar:
            while chunk := file.read(CHUNK):
                process.stdin.write(chunk)
                bar.update(len(chunk))
