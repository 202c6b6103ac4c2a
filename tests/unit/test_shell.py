"""The shell that answers facts, on a shell of this machine."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, cast

import pytest

from stagecraft.connection import shell
from stagecraft.connection.shell import Shell, ShellEnded, Shells
from stagecraft.connection.ssh import Session
from stagecraft.facts.files import TreeFact
from stagecraft.facts.reading import Reading, reading


class Pipes:
    """What Shell needs of an SSH session, to a process of this machine."""

    def __init__(self, command: str) -> None:
        self.process = subprocess.Popen(
            ["sh", "-c", command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def line(self) -> bytes:
        assert self.process.stdout
        return self.process.stdout.readline()

    def send(self, text: bytes) -> None:
        assert self.process.stdin
        self.process.stdin.write(text)
        self.process.stdin.flush()

    def close(self) -> None:
        assert self.process.stdin
        self.process.stdin.close()
        self.process.wait(timeout=10)


@pytest.fixture(params=["sh"])
def pipes(request: pytest.FixtureRequest) -> Iterator[Pipes]:
    pipes = Pipes(request.param)
    yield pipes
    os.killpg(pipes.process.pid, signal.SIGKILL)
    pipes.process.communicate()


@pytest.fixture
def local(pipes: Pipes) -> Shell:
    return Shell(cast(Session, pipes))


running = partial(pytest.mark.parametrize, "pipes", indirect=True)


def ask(local: Shell, command: str) -> tuple[bytes, int | None]:
    [answer] = local.ask(command)
    local.wait(answer)
    return answer.stdout, answer.status


@pytest.mark.parametrize(
    ("command", "stdout", "status"),
    [
        ("echo one", b"one\n", 0),
        ("printf one", b"one", 0),
        ("printf 'one\\n\\n'", b"one\n\n", 0),
        ("printf '\\n'", b"\n", 0),
        ("true", b"", 0),
        ("printf 'a\\000\\377b'", b"a\0\xffb", 0),
        ("echo one; exit 3", b"one\n", 3),
        ("echo one >&2", b"", 0),
        ("cat; echo end", b"end\n", 0),
        ("if", b"", 2),
        ("echo 'it'\"'\"'s'\necho two", b"it's\ntwo\n", 0),
        ("kill -9 $$", b"", 137),
        pytest.param("head -c 300000 /dev/zero | tr '\\0' x", b"x" * 300000, 0, id="long"),
        ("head -c 3000000 /dev/zero >&2", b"", 0),
    ],
)
def test_what_a_command_prints_comes_back_as_it_is(
    local: Shell, command: str, stdout: bytes, status: int
) -> None:
    assert ask(local, command) == (stdout, status)
    assert ask(local, "echo after") == (b"after\n", 0)


def test_nothing_is_left_of_the_command_before(local: Shell) -> None:
    state = 'echo "$PWD $(umask) [$x] $-"; alias'
    before = ask(local, state)
    ask(local, "cd /; umask 077; x=1; export x; set -u; alias true=false; exec >&2")
    assert ask(local, state) == before


def test_answers_wait_for_each_other_and_for_nobody_else(local: Shell) -> None:
    first, second = local.ask("echo one", "echo two")
    local.wait(second)
    local.wait(first)
    assert (first.stdout, second.stdout) == (b"one\n", b"two\n")


@running(argvalues=["echo Welcome; printf here; exec sh"])
def test_what_start_files_print_is_nobody_s_answer(local: Shell) -> None:
    assert ask(local, "echo one") == (b"one\n", 0)


def test_a_command_that_hangs_is_ended(local: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shell, "LIMIT", 0.2)
    assert ask(local, "sleep 60")[1] == 124
    assert ask(local, "echo after") == (b"after\n", 0)


def test_a_killed_shell_is_no_answer(local: Shell, pipes: Pipes) -> None:
    assert ask(local, "echo one") == (b"one\n", 0)
    [answer] = local.ask("sleep 60")
    os.killpg(pipes.process.pid, signal.SIGKILL)
    with pytest.raises(ShellEnded):
        local.wait(answer)
    with pytest.raises(ShellEnded):
        ask(local, "echo two")


@running(argvalues=["echo 'a password is required' >&2; exit 1"])
def test_a_shell_that_was_refused_is_no_answer(pipes: Pipes) -> None:
    with pytest.raises(ShellEnded):
        ask(Shell(cast(Session, pipes)), "echo one")


class Counted:
    """A command that prints how often it ran."""

    def __init__(self, directory: Any) -> None:
        self.path = directory / "count"

    @reading
    def command(self) -> str:
        return f"echo x >> {self.path}; wc -l < {self.path}"


@pytest.fixture
def counted(tmp_path: Any) -> Reading:
    return Counted(tmp_path).command()


def test_a_prefetched_answer_is_read_once(local: Shell, counted: Reading) -> None:
    local.prefetch([counted])
    assert local.lines(counted) == ["1"]
    assert local.lines(counted) == ["1"]
    local.prefetch([counted])
    assert local.lines(counted) == ["2"]
    local.forget()
    assert local.lines(counted) == ["3"]


def test_two_shells_share_what_is_prefetched(local: Shell, tmp_path: Path) -> None:
    other = Pipes("sh")
    both = Shells([local, Shell(cast(Session, other))])
    go = tmp_path / "go"
    waits = Reading(f"until [ -e {go} ]; do sleep 0.1; done; echo late")
    says = Reading("echo soon")
    both.prefetch([waits, says])
    assert both.lines(says) == ["soon"]
    go.touch()
    assert both.lines(waits) == ["late"]
    counted = Counted(tmp_path).command()
    both.prefetch([says, counted])
    both.forget()
    assert both.lines(counted) == ["2"]
    other.close()


def test_what_was_not_prefetched_is_read_each_time(local: Shell, counted: Reading) -> None:
    assert local.lines(counted) == ["1"]
    assert local.lines(counted) == ["2"]


def test_an_old_answer_is_read_again(
    local: Shell, counted: Reading, monkeypatch: pytest.MonkeyPatch
) -> None:
    local.prefetch([counted])
    monkeypatch.setattr(shell, "FRESH", 0.0)
    assert local.lines(counted) == ["2"]


def test_lines_are_pyinfra_s(local: Shell) -> None:
    command = TreeFact().command(paths=["/etc/hostname"])

    def lines(text: str) -> list[str] | None:
        changed = Reading(text)
        changed.fact, changed.arguments = command.fact, command.arguments
        return local.lines(changed)

    assert lines("true") == []
    assert lines("echo") == [""]
    assert lines("printf 'a\\n\\nb'") == ["a", "", "b"]
    assert lines("echo a; exit 1") is None
    assert lines("printf 'a\\377\\nb'") == ["a\ufffd", "b"]
