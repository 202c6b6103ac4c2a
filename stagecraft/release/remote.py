"""Calls the program on a server over OpenSSH."""

import os
import shlex
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

import click

from stagecraft.harmless import harmless
from stagecraft.inventory import known_hosts, login
from stagecraft.on_server.printed import lines
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
    code = run(ssh(server, root, words), partial(show, err=False), archive)
    if code == LOST:
        raise click.ClickException(
            f"the login to {server.name} failed, or the connection ended. What runs there goes on:"
            " `stagecraft follow` shows it"
        )
    return code


def ask(server: Server, root: Path, words: Sequence[str], archive: Path | None = None) -> bytes:
    """What the program prints. Raises click.ClickException if it fails, or for too much."""
    answer = bytearray()

    def take(line: bytes) -> None:
        answer.extend(line)
        if len(answer) > MOST:
            raise click.ClickException(f"{server.name} answers more than {MOST} bytes")

    code = run(ssh(server, root, words), take, archive)
    if code == LOST:
        raise click.ClickException(f"the login to {server.name} failed, or the connection ended")
    if code:
        raise click.ClickException(f"`stagecraft {words[0]}` failed on {server.name}")
    return bytes(answer)


def run(command: list[str], take: Callable[[bytes], None], archive: Path | None = None) -> int:
    """Its exit code. Shows its errors."""
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as errors, os.fdopen(writing, "wb") as theirs:
        with subprocess.Popen(
            command,
            stdin=subprocess.PIPE if archive else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=theirs,
        ) as process:
            theirs.close()
            try:
                if archive:
                    send(archive, process)
                for line, stream in lines(process, process.stdout, errors, watch=lambda: None):
                    (partial(show, err=True) if stream == errors.fileno() else take)(line)
            except click.ClickException:
                process.kill()
                raise
        return process.returncode


def show(line: bytes, err: bool) -> None:
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
