"""Starts actions in systemd units of their own, which the operator's connection does not end, and
follows them."""

import subprocess
import sys
import time
from pathlib import Path

from stagecraft.on_server import journal, lock
from stagecraft.on_server.actions import DONE, Request, ask, clean_up, pending
from stagecraft.on_server.site import Failed, Site

PROGRAM = "/usr/local/sbin/stagecraft"

LONGEST = "1h"

RECOVERIES = 3
"""So often an action that died is undone again if that dies, too: for want of memory, say."""

KEPT = 100
"""So many actions' logs are kept, each of at most some 10 MB. The journal has all actions."""


def start(site: Site, request: Request) -> None:
    """Raises Failed if another action of the site runs. Nothing is left then of what was asked."""
    try:
        begin(site, request)
    except (Failed, OSError):
        clean_up(site, request.id)
        raise


def begin(site: Site, request: Request) -> None:
    if holder := lock.busy(site):
        raise Failed(f"{site.name} is busy: {holder}")
    site.logs.mkdir(parents=True, exist_ok=True, mode=0o750)
    wait_for_the_end(site)
    for old in sorted(site.logs.glob("*.log"))[:-KEPT]:
        old.unlink()
    ask(site, request)
    unfinished = pending(site, request.id)
    recover = f'-/bin/sh -c "[ ! -e {unfinished} ] || exec {PROGRAM} recover {site.name}"'
    command = [
        *("systemd-run", "--quiet", "--collect", f"--unit={site.unit}", "--property=Type=exec"),
        f"--description={request.verb} {request.release.id} of {site.name}",
        f"--property=StandardOutput=append:{log_of(site, request.id)}",
        f"--property=StandardError=append:{log_of(site, request.id)}",
        *[f"--property=ExecStopPost={recover}"] * RECOVERIES,
        *(f"--property=RuntimeMaxSec={LONGEST}", "--property=KillMode=mixed"),
        *("--", PROGRAM, "perform", site.name, request.id),
    ]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise Failed(f"{site.name} is busy: {done.stderr.strip()}")


def log_of(site: Site, id: str) -> Path:
    return site.logs / f"{id}.log"


def follow(site: Site, id: str) -> bool:
    """Prints what the action prints, until it has ended; whether it was done."""
    read, asked, over = 0, 0, False
    newest = journal.Newest(site)
    while True:
        if ended := newest.outcome(id):
            wait_for_the_end(site)
        elif over:
            raise Failed(f"it ended without a record: see {log_of(site, id)} and the disk's space")
        asked += 1
        over = asked % 20 == 0 and not runs(site)
        read += copy(log_of(site, id), read)
        if ended:
            return ended == DONE
        time.sleep(0.05)


def wait_for_the_end(site: Site) -> None:
    """Until systemd has let go of the action's unit, so that the next one can begin."""
    for _ in range(100):
        if not runs(site):
            return
        time.sleep(0.05)


def runs(site: Site) -> bool:
    show = ["systemctl", "show", "--property=ActiveState", "--value", site.unit]
    state = subprocess.run(show, capture_output=True, text=True).stdout.strip()
    return state not in ("inactive", "failed")


def copy(path: Path, start: int) -> int:
    """Prints the file from there on; how much it was."""
    try:
        with path.open("rb") as file:
            file.seek(start)
            new = file.read()
    except FileNotFoundError:
        return 0
    sys.stdout.buffer.write(new)
    sys.stdout.buffer.flush()
    return len(new)
