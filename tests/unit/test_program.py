"""How our programs begin and end: missing packages, closed streams, full disks, interrupts."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from stagecraft.settings import REPOSITORY


def python(command: str, **options: str) -> subprocess.CompletedProcess[str]:
    """What a shell makes of `python` and the rest, in this repository."""
    return subprocess.run(
        ["sh", "-c", f'"{sys.executable}" {command}'],
        cwd=REPOSITORY,
        env=os.environ | options,
        capture_output=True,
        text=True,
        check=False,
    )


PRINTS = 'from stagecraft.program import run; run(lambda: print("text") or 0)'


@pytest.mark.parametrize("program", ["drift --help", "secret staging", "--help"])
def test_without_its_packages_a_program_says_where_they_are(program: str) -> None:
    result = python(f"-S -m stagecraft {program}")
    assert result.returncode == 1
    assert result.stderr.startswith("Error: No module named ")
    assert result.stderr.endswith(
        ": start this with .venv/bin/python, which `make .venv/complete` makes\n"
    )


@pytest.mark.parametrize("verb", ["deploy.py", "bootstrap.py", "nightly.py"])
@pytest.mark.parametrize("packages", ["", "-S"])
def test_what_pyinfra_runs_says_so(verb: str, packages: str) -> None:
    result = python(f"{packages} {verb}")
    assert result.returncode == 1
    assert result.stderr.startswith("pyinfra runs this: .venv/bin/pyinfra ")
    assert result.stderr.endswith(f" {verb}\n")


@pytest.mark.parametrize("program", ["stagecraft --help", "stagecraft drift --help", "lab list"])
def test_a_closed_output_is_nobody_listening(program: str) -> None:
    result = python(f"-m {program} >&-")
    assert (result.returncode, result.stderr) == (0, "")


@pytest.mark.team_files
def test_settings_are_checked_without_an_output() -> None:
    """This checkout's own, which may be wrong."""
    assert "Traceback" not in python("-m stagecraft settings >&-").stderr


def test_no_file_becomes_a_closed_stream() -> None:
    code = "import os, stagecraft; open('/dev/fd/9', 'w').write(str(os.open('/dev/null', 0)))"
    for closed in ("<&-", ">&-", "2>&-", "<&- >&- 2>&-"):
        assert int(python(f'-c "{code}" 9>&1 {closed}').stdout) > 2, closed


def test_output_that_nobody_reads_to_its_end() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    result = subprocess.run(
        [sys.executable, "-c", PRINTS], cwd=REPOSITORY, stdout=writing, stderr=subprocess.PIPE
    )
    os.close(writing)
    assert (result.returncode, result.stderr) == (128 + signal.SIGPIPE, b"")


@pytest.mark.parametrize("program", [f"-c '{PRINTS}'", "-m stagecraft drift --help"])
def test_output_that_cannot_be_written(program: str) -> None:
    result = python(f"{program} >/dev/full")
    assert (result.returncode, result.stderr) == (1, "Error: [Errno 28] No space left on device\n")


def test_characters_that_an_encoding_lacks() -> None:
    code = "-c 'import stagecraft; print(chr(0x2026))'"
    assert python(code, PYTHONIOENCODING="ascii").stdout == "\\u2026\n"


# --- Interrupts ---

SLOW = """\
import sys, time
from contextlib import suppress
from stagecraft.program import run, uninterrupted

def say(text):
    print(text, flush=True)

def main():
    try:
        {main}
    finally:
        say("cleaned up")
    return 0

{loading}
"""

SLEEP = "say('begun'); time.sleep(30)"


def begin(directory: Path, loading: str, main: str) -> subprocess.Popen[str]:
    """A program with this to load and this to do; it has said that it has begun."""
    (directory / "slow.py").write_text(SLOW.format(loading=loading, main=main))
    process = subprocess.Popen(
        [sys.executable, "-c", "from stagecraft.program import start; start('slow')"],
        cwd=directory,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout and process.stdout.readline() == "begun\n"
    return process


def interrupted(process: subprocess.Popen[str], by: signal.Signals) -> tuple[int, str, str]:
    process.send_signal(by)
    out, err = process.communicate(timeout=10)
    return process.returncode, out, err


@pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGTERM])
def test_one_that_still_loads_ends_at_once(tmp_path: Path, by: signal.Signals) -> None:
    """For a shell that is 130 or 143. Code may catch what is raised while it is imported."""
    loading = f"with suppress(BaseException): {SLEEP}"
    assert interrupted(begin(tmp_path, loading, "pass"), by) == (-by, "", "")


@pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGTERM])
def test_one_that_works_ends_what_it_began(tmp_path: Path, by: signal.Signals) -> None:
    said = (128 + by, "cleaned up\n", "\nInterrupted\n")
    assert interrupted(begin(tmp_path, "", SLEEP), by) == said


def test_what_must_not_be_left_half_done(tmp_path: Path) -> None:
    main = "with uninterrupted(): say('begun'); time.sleep(0.5); say('done')"
    said = (130, "done\ncleaned up\n", "\nInterrupted\n")
    assert interrupted(begin(tmp_path, "", main), signal.SIGINT) == said


def test_a_second_interrupt_does_not_break_off_the_first(tmp_path: Path) -> None:
    main = f"""
        try:
            {SLEEP}
        finally:
            say("ending"); time.sleep(0.5)"""
    process = begin(tmp_path, "", main)
    process.send_signal(signal.SIGINT)
    assert process.stdout and process.stdout.readline() == "ending\n"
    assert interrupted(process, signal.SIGINT) == (130, "cleaned up\n", "\nInterrupted\n")


def test_one_in_the_background_stays_deaf_to_ctrl_c(tmp_path: Path) -> None:
    """A shell has it ignore the signal, which all of a terminal's processes get."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        process = begin(tmp_path, "", "say('begun'); time.sleep(0.5)")
    finally:
        signal.signal(signal.SIGINT, before)
    assert interrupted(process, signal.SIGINT) == (0, "cleaned up\n", "")
