"""Workers take up the current release after each switch."""

import subprocess
import time

from stagecraft.on_server.site import Failed, Site

PATIENCE = 1.0
"""Seconds in which a worker that cannot work ends."""

ENDED = {"auto-restart", "failed", "dead"}


def restart(site: Site) -> None:
    """Each ends after its present job, which may take longer than this waits, and starts anew."""
    if site.workers:
        call("restart", "--no-block", *site.workers)


def stop(site: Site) -> None:
    """Returns when each has ended its present job."""
    if site.workers:
        call("stop", *site.workers)


def stay(site: Site) -> None:
    """Raises Failed for those that end as soon as they have started."""
    if not site.workers:
        return
    time.sleep(PATIENCE)
    shown = call("show", "--property=Id,SubState", *site.workers)
    blocks = (dict(line.split("=", 1) for line in b.splitlines()) for b in shown.split("\n\n"))
    ended = [block["Id"] for block in blocks if block.get("SubState") in ENDED]
    if ended:
        raise Failed(f"{', '.join(ended)} ends at once: {last_lines(ended[0])}")


def last_lines(unit: str) -> str:
    journal = ["journalctl", "--quiet", "--no-pager", "--output=cat", "--lines=5", f"--unit={unit}"]
    done = subprocess.run(journal, capture_output=True, text=True)
    return " / ".join(done.stdout.strip().splitlines())[:1000]


def call(*words: str) -> str:
    done = subprocess.run(["systemctl", *words], capture_output=True, text=True)
    if done.returncode:
        raise Failed(f"systemctl {words[0]} failed: {done.stderr.strip()}")
    return done.stdout
