"""Running containers, told apart by what /proc says rather than by pid files.

A pid file may outlive its process and then point at a stranger; the command line of systemd-nspawn
and the root directory of a process cannot.
"""

import functools
import os
import re
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from lab import kernel, network
from lab.commands import NspawnError, detach, locked, run

CGROUPS = ("/sys/fs/cgroup", "/sys/fs/cgroup/systemd", "/sys/fs/cgroup/unified")

# Where no systemd looks after this machine, somebody else has to do two things for it. Containers
# would all share one cgroup, and each one's systemd would take its neighbours' services for its
# own. And systemd-nspawn ends with 133 when the container reboots, to be started again.
IN_PLACE_OF_SYSTEMD = f"""
while
    (
        for hierarchy in {" ".join(CGROUPS)}; do
            [ -e $hierarchy/cgroup.procs ] || continue
            mkdir -p $hierarchy/$0 && echo 0 > $hierarchy/$0/cgroup.procs
        done
        exec "$@"
    )
    [ $? = 133 ]
do :; done
"""

TIDIED_WITHIN = 2.0  # seconds
KILLED_WITHIN = 10.0  # seconds
STOPPED_WITHIN = 30.0  # seconds; MariaDB takes the longest


@dataclass(frozen=True)
class Supervisor:
    """A systemd-nspawn, or the shell that restarts it, with what its command line says."""

    pid: int
    number: int
    root: Path


def running() -> list[Supervisor]:
    """The supervisors of all throwaway servers of this machine, whichever clone they belong to."""
    found = (parse(pid, _read(f"/proc/{pid}/cmdline").split("\0")) for pid in _pids())
    return [supervisor for supervisor in found if supervisor]


def supervisors(root: Path) -> list[Supervisor]:
    """Who runs the container of this tree; empty if nobody does."""
    return [supervisor for supervisor in running() if supervisor.root == root]


def parse(pid: int, arguments: list[str]) -> Supervisor | None:
    """The supervisor with this command line, or None if it is none of ours."""
    if "systemd-nspawn" not in arguments:
        return None
    options = dict(argument.partition("=")[::2] for argument in arguments)
    number = re.fullmatch(r"stage-(\d+)", options.get("--machine", ""))
    if not number or "--directory" not in options:
        return None
    return Supervisor(pid, int(number[1]), Path(options["--directory"]))


def leader(root: Path) -> int | None:
    """The container's PID 1, by the pid that it has on this machine."""
    pids = {supervisor.pid for supervisor in supervisors(root)}
    children = " ".join(_read(f"/proc/{pid}/task/{pid}/children") for pid in pids)
    return next(iter({*map(int, children.split())} - pids), None)


INOTIFY_INSTANCES = Path("/proc/sys/fs/inotify/max_user_instances")
ENOUGH_INSTANCES = 1024
"""A server's systemd and its services take a dozen; the kernel's 128 end with the tenth server."""


def start(root: Path, hostname: str, number: int) -> None:
    """Boots the tree in a session of its own, with its console in `console.log` beside it. On
    return /proc shows the container already, so its number counts as taken."""
    machine = _machine(number)
    network.delete_leftover(machine)
    if int(INOTIFY_INSTANCES.read_text()) < ENOUGH_INSTANCES:
        kernel.require(INOTIFY_INSTANCES, str(ENOUGH_INSTANCES))
    command = [
        "systemd-nspawn", "--quiet", "--boot", f"--directory={root}", f"--machine={machine}",
        f"--hostname={hostname}", f"--network-bridge={network.BRIDGE}", "--resolv-conf=off",
        "--timezone=off", "--link-journal=no", "--settings=no", *_options_of_this_machine(),
    ]  # fmt: skip
    if not _systemd_runs_here():
        command = ["sh", "-c", IN_PLACE_OF_SYSTEMD, machine, *command]
    console = root.with_name("console.log")
    on_console = 'exec "$@" < /dev/null >> "$0" 2>&1'
    detach("sh", "-c", on_console, str(console), *command)


def stop(root: Path) -> None:
    """Ensures that the container of this tree is powered off in good order."""
    for supervisor in supervisors(root):
        _signal(supervisor.pid, signal.SIGTERM)
    wait_until(lambda: not supervisors(root), STOPPED_WITHIN, f"{root} does not power off")
    kill(root)


def kill(root: Path) -> None:
    """Ensures that nothing runs in this tree, whatever state a killed run left it in."""
    found = supervisors(root)
    for pid in _inhabitants(root):
        _signal(pid, signal.SIGKILL)
    # systemd-nspawn tidies up and ends by itself when its container dies; it is killed if not.
    _comes_true(lambda: not supervisors(root), TIDIED_WITHIN)
    for supervisor in supervisors(root):
        _signal(supervisor.pid, signal.SIGKILL)
    wait_until(
        lambda: not supervisors(root) and not _inhabitants(root),
        KILLED_WITHIN,
        f"processes survive in {root}",
    )
    with locked(network.LOCK):
        # Its number is free again, and may be that of a server that has just begun to boot.
        taken = {supervisor.number for supervisor in running()}
        for number in {supervisor.number for supervisor in found} - taken:
            network.delete_leftover(_machine(number))
            _remove_cgroups(_machine(number))


def press_reset(root: Path) -> None:
    """Makes the container's systemd reboot in good order; on return the old one is gone."""
    before = leader(root)
    if not before:
        raise NspawnError(f"{root} does not run, so it cannot reboot")
    _signal(before, signal.SIGRTMIN + 5)
    wait_until(lambda: leader(root) not in (before, None), STOPPED_WITHIN, f"{root} keeps running")


def wait_until(condition: Callable[[], bool], seconds: float, otherwise: str) -> None:
    """Waits for a condition; raises NspawnError with the text if it does not come true in time."""
    if not _comes_true(condition, seconds):
        raise NspawnError(f"{otherwise} (waited {seconds:.0f} s)")


def _comes_true(condition: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def _inhabitants(root: Path) -> list[int]:
    """The container's processes: its PID 1, and all whose root directory is the tree."""
    first = leader(root)
    found = []
    for pid in _pids():
        with suppress(OSError):
            if pid == first or Path(f"/proc/{pid}/root").samefile(root):
                found.append(pid)
    return found


def _machine(number: int) -> str:
    """The name for systemd-nspawn; short, because it names the interface outside after it."""
    return f"stage-{number}"


@functools.cache
def _options_of_this_machine() -> list[str]:
    options = [] if _systemd_runs_here() else ["--register=no", "--keep-unit"]
    # Faster packages and databases; nobody misses the data of a throwaway server in a power cut.
    if "--suppress-sync" in run("systemd-nspawn", "--help"):
        options.append("--suppress-sync=yes")
    return options


def _systemd_runs_here() -> bool:
    return Path("/run/systemd/system").exists()


def _remove_cgroups(machine: str) -> None:
    for hierarchy in CGROUPS:
        for directory, _, _ in os.walk(Path(hierarchy, machine), topdown=False):
            with suppress(OSError):
                Path(directory).rmdir()


def _signal(pid: int, number: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)


def _pids() -> Iterator[int]:
    return (int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit())


def _read(path: str) -> str:
    """The text of a file of /proc, empty if its process has just ended."""
    try:
        return Path(path).read_text(errors="replace")
    except OSError:
        return ""
