"""Who runs the program, as sshd and sudo have seen it: not what somebody says of themselves."""

import json
import os
import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path

PROC = Path("/proc")

KEY = re.compile(r"SHA256:[A-Za-z0-9+/]+$")


def login() -> str:
    """The account, and the fingerprint of the SSH key that it logged in with, if that is known."""
    keys = filter(None, map(fingerprint, sshd()))
    return " ".join([account(), *islice(keys, 1)])


def account() -> str:
    return os.environ.get("SUDO_USER") or "root"


def sshd() -> Iterator[Path]:
    """The processes of sshd that this one descends from and that are root's, the nearest first.
    One of them has let the account in."""
    process = PROC / str(os.getpid())
    with suppress(OSError, ValueError):
        while (process := PROC / field(process, "PPid")).name != "0":
            if field(process, "Name").startswith("sshd") and field(process, "Uid") == "0":
                yield process


def field(process: Path, name: str) -> str:
    """The first word of a line in its status."""
    lines = (process / "status").read_text().splitlines()
    return next((words[1] for line in lines if (words := line.split())[0] == f"{name}:"), "")


def fingerprint(process: Path) -> str:
    """Of the key that this process of sshd has accepted, from the system's journal. Empty after a
    login without a key, or so long ago that it is gone. systemd-journald itself notes who wrote a
    message, so that nobody else can write this one."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        command = [
            *("journalctl", "--quiet", "--output=json", "--output-fields=MESSAGE", "--lines=1"),
            *("--grep=^Accepted publickey ", f"--since=@{int(began(process))}"),
            *("_UID=0", f"_PID={process.name}"),
        ]
        done = subprocess.run(command, capture_output=True, text=True)
        if found := KEY.search(json.loads(done.stdout)["MESSAGE"]):
            return found[0]
    return ""


def began(process: Path) -> float:
    """When it began, in seconds since 1970: earlier, another process had its number."""
    ticks = int((process / "stat").read_text().rpartition(")")[2].split()[19])
    up = float((PROC / "uptime").read_text().split()[0])
    return time.time() - up + ticks / os.sysconf("SC_CLK_TCK")
