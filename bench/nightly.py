"""What the nightly check costs on a server with many files, and what it finds, beside what others
use for it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from planted import planted, run

from bench import releasing
from bench.runs import Figure, Taken, in_turns, take
from bench.servers import SITE, STATE, Subject, rented
from lab.lab import Lab
from stagecraft.facts.package_files import PackageFilesFact

DRIFT = "stagecraft drift"
RELEASES, FILES, SIZE = 5, 9000, 400
"""With those of packages some 60 000. A file's size is in bytes."""

PEERS = {
    "AIDE": "aide --config /etc/aide/aide.conf --check",
    "debsums": "debsums --all --silent",
}

PREPARE = """
export DEBIAN_FRONTEND=noninteractive
apt-get install -q -y --no-install-recommends aide aide-common debsums
aide --config /etc/aide/aide.conf --init
mv /var/lib/aide/aide.db.new /var/lib/aide/aide.db
"""

COUNTERS = """
cat /proc/[0-9]*/stat | sed 's/.*) //' | awk '{ all += $12 + $13 + $14 + $15 } END { print all }'
cat /sys/class/net/host0/statistics/rx_bytes /sys/class/net/host0/statistics/tx_bytes
"""
"""The ticks of all processes and of those that they waited for; bytes that came and went."""

ENDED = 0.3
"""Seconds in which a login ends on the server, too, after it has here."""

ROUNDS = 3
LIST = "held_out"


@dataclass(frozen=True)
class Night:
    """`found` is how many of the listed changes each finds."""

    files: int
    figures: dict[str, Figure]
    listed: int
    found: dict[str, int]


def nightly(lab: Lab) -> Night:
    subject = with_many_files(lab)
    subject.shell(PREPARE)
    check = [sys.executable, "-m", "stagecraft", "drift", "staging"]
    ours = partial(take, cwd=subject.project.directory, fine=(0, 2))
    actions = {
        "ssh, nothing": partial(login, subject, "true"),
        DRIFT: partial(ours, check),
        f"{DRIFT} --full": partial(ours, [*check, "--full"]),
        "of that, packages' files": partial(login, subject, str(PackageFilesFact().command())),
        **{name: partial(login, subject, command) for name, command in PEERS.items()},
    }
    figures = in_turns(
        {name: partial(on_server_too, subject, action) for name, action in actions.items()}, ROUNDS
    )
    files = int(subject.shell("find / -xdev -type f | wc -l"))
    return Night(files, figures, *found(subject))


def with_many_files(lab: Lab) -> Subject:
    """A server with a site that keeps many releases of a large application."""
    subject = rented(lab, "night")
    site = SITE | {"app": releasing.SETTINGS | {"keep": RELEASES}}
    subject.project.write(staging={"server": subject.server.name, "sites": {"askpro": site}})
    subject.project.apply("staging", "--user", "root", verb="bootstrap.py")
    subject.project.apply("staging")
    releasing.make_repository(FILES, SIZE)
    for _ in range(RELEASES):
        releasing.commit()
        releasing.release(subject)
    return subject


def found(subject: Subject) -> tuple[int, dict[str, int]]:
    """How many changes of a list this server has what they need for, and how many each names."""
    listed = planted(LIST)
    codes = run(subject, [change.change for change in listed])
    changes = [change for change, code in zip(listed, codes, strict=True) if code == 0]
    check = [sys.executable, "-m", "stagecraft", "drift", "staging", "--full"]
    texts = {
        DRIFT: said_by(check, subject.project.directory),
        **{name: subject.shell(f"{command} 2>&1 || true") for name, command in PEERS.items()},
    }
    run(subject, [change.undo for change in reversed(changes)])
    found = {name: sum(change.told_by(text) for change in changes) for name, text in texts.items()}
    return len(changes), found


def said_by(command: list[str], directory: Path) -> str:
    return subprocess.run(command, cwd=directory, capture_output=True, text=True).stdout


def login(subject: Subject, command: str) -> Taken:
    """Whatever it ends with: AIDE and debsums say by that what they have found."""
    ssh = ["ssh", "-F", str(subject.ssh_config), "-l", "deploy", "-o", "BatchMode=yes"]
    return take([*ssh, subject.server.name, "sudo", "sh"], STATE, command, fine=range(255))


def on_server_too(subject: Subject, action: Callable[[], Taken]) -> Taken:
    before = counters(subject)
    taken = action()
    time.sleep(ENDED)
    ticks, *moved = (after - b for after, b in zip(counters(subject), before, strict=True))
    seconds = ticks / os.sysconf("SC_CLK_TCK")
    return replace(taken, of_server=seconds, moved=sum(moved) / 1e6)


def counters(subject: Subject) -> list[int]:
    return [int(word) for word in subject.shell(COUNTERS).split()]
