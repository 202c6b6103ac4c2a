"""Prints all processes, alike ones together: what keeps them running, their unit, its file or the
account that is logged in, the user, the program, the Debian source that it is of, when the oldest
one started in seconds since the epoch, their number and the first ids; NUL-terminated, as base64.
Trusts what the kernel, systemd and dpkg say, never the names that processes choose."""

import os
import re
import subprocess
import sys
import time
from base64 import b64encode
from collections import Counter, defaultdict
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from pwd import getpwuid

KINDS = 100
"""Of the processes of each user but root, who can start thousands."""

PIDS = 64

KERNEL_THREAD = 0x00200000

UNIT = re.compile(r"/([^/]+\.(?:service|scope|socket|mount|swap))(?=/|$)")

CONTAINER = re.compile(
    r"/(?:docker|libpod|lxc\.payload|kubepods|crio|cri-containerd)[-./:](?!service)|/machine\.slice/"
)

SHELL = re.compile(r"/usr/bin/(?:ba|da)sh")
INTERPRETER = re.compile(rf"{SHELL.pattern}|/usr/bin/(?:busybox|perl|python)[\d.]*")

LEAVES_ITS_PARENT = re.compile(
    r"/usr/s?bin/(?:dhclient|dhcpcd|udhcpc|wpa_supplicant|gpg-agent|ssh-agent|keyboxd|dirmngr)"
)
"""Started by services and logins of other packages."""

PLACES = ("/usr/bin", "/usr/sbin", "/usr/lib/systemd", "/usr/libexec")

DPKG = Path("/var/lib/dpkg")


@dataclass(frozen=True)
class Process:
    """`start` is in clock ticks since the boot; `group` is its control group."""

    pid: int
    parent: int
    start: int
    uid: int
    group: str
    program: str

    @property
    def unit(self) -> str:
        """The system's, also for what a user's systemd runs; empty without one."""
        return "".join(UNIT.findall(self.group)[:1])


@dataclass(frozen=True)
class Unit:
    """`pids` are the processes that systemd started itself."""

    file: str = ""
    made_from: str = ""
    pids: tuple[int, ...] = ()
    programs: tuple[str, ...] = ()


class Server:
    """What runs at one moment. `logins` has the account of each login's unit."""

    def __init__(self) -> None:
        self.processes = running()
        self.units = units({process.unit for process in self.processes.values()} - {""})
        self.logins = logins()
        self.tops: dict[int, Process] = {}

    @cached_property
    def children(self) -> dict[int, list[Process]]:
        found = defaultdict(list)
        for process in self.processes.values():
            found[process.parent].append(process)
        return found

    def kinds(self) -> dict[tuple[str, ...], list[Process]]:
        found: dict[tuple[str, ...], list[Process]] = {}
        counts: Counter[int] = Counter()
        for process in sorted(self.processes.values(), key=lambda process: process.start):
            kind = self.kind(process)
            if kind not in found:
                counts[process.uid] += 1
                if process.uid and counts[process.uid] > KINDS:
                    kind = (kind[0], "", "", kind[3], "", "")
            found.setdefault(kind, []).append(process)
        return found

    def kind(self, process: Process) -> tuple[str, ...]:
        kept = self.kept_by(process)
        if kept in ("container", "host"):
            return kept, "", "", "", "", ""
        unit = self.units.get(process.unit, Unit())
        by = self.logins.get(process.unit, "") if kept == "login" else unit.made_from or unit.file
        program = process.program
        return kept, process.unit, by, account(process.uid), program, source(program)

    def kept_by(self, process: Process) -> str:
        """`init`, `unit` or `login`, the `manager` of somebody who is logged in, a `container` of
        this machine, the `host` if this is one; empty if it only goes on by itself."""
        top = self.top(process)
        if process.pid == 1:
            return "init"
        if top.parent == 0:
            return "host"
        if CONTAINER.search(process.group):
            return "container"
        if source(process.program) and LEAVES_ITS_PARENT.fullmatch(process.program):
            return "unit"
        if process.unit in self.logins:
            return "login"
        if re.fullmatch(r"user@\d+\.service", process.unit):
            here = process.unit.removeprefix("user@").removesuffix(".service")
            manages = process.program.startswith("/usr/lib/systemd/systemd")
            return "manager" if manages or account(int(here)) in self.logins.values() else ""
        own = process.unit.endswith(".service") and (
            self.own(top)
            # A service's shell that has put one of its programs into the background.
            or (SHELL.fullmatch(top.program) and any(map(self.own, self.below(top))))
        )
        return "unit" if own else ""

    def top(self, process: Process) -> Process:
        """The oldest of its ancestors within its unit."""
        way = [process]
        while way[-1].pid not in self.tops:
            above = self.processes.get(way[-1].parent)
            if not above or above.pid == 1 or above.unit != process.unit or above in way[-50:]:
                self.tops[way[-1].pid] = way[-1]
            else:
                way.append(above)
        top = self.tops[way[-1].pid]
        self.tops.update(dict.fromkeys((passed.pid for passed in way), top))
        return top

    def below(self, process: Process) -> list[Process]:
        found = list(self.children.get(process.pid, ()))
        for child in found:
            found += self.children.get(child.pid, ())
        return found

    def own(self, process: Process) -> bool:
        """Whether systemd started it for its unit, or it is a program of the unit's packages."""
        unit = self.units.get(process.unit, Unit())
        return process.pid in unit.pids or source(process.program) in sources_of(unit)


def running() -> dict[int, Process]:
    """All but the kernel's own."""
    found = {}
    for pid in (int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()):
        try:
            process = read(pid)
        except OSError:  # it has ended
            continue
        if process:
            found[pid] = process
    return found


def read(pid: int) -> Process | None:
    place = Path("/proc", str(pid))
    # The name, in parentheses, may have any characters.
    state, parent, *rest = text(place / "stat").rpartition(")")[2].split()
    if state in "ZX" or int(rest[4]) & KERNEL_THREAD:
        return None
    uid = re.findall(r"(?m)^Uid:\t\d+\t(\d+)", text(place / "status"))[-1]
    group = re.findall(r"(?m)^(?:0:|\d+:name=systemd):(.*)$", text(place / "cgroup"))[0]
    exe = place / "exe"
    status = exe.stat()
    program = on_disk(str(exe.readlink()), (status.st_dev, status.st_ino))
    return Process(pid, int(parent), int(rest[17]), int(uid), group, program)


def text(path: Path) -> str:
    return path.read_bytes().decode("utf-8", "surrogateescape")


def units(names: set[str]) -> dict[str, Unit]:
    asked = "--property=Id,FragmentPath,SourcePath,MainPID,ControlPID,ExecStart"
    command = ["systemctl", "show", "--all", asked, "--", *sorted(names)]
    said = subprocess.run(command, capture_output=True, check=True).stdout.decode(
        "utf-8", "replace"
    )
    found = {}
    for block in said.split("\n\n"):
        values = defaultdict(list)
        for line in block.splitlines():
            name, _, value = line.partition("=")
            values[name].append(value)
        found["".join(values["Id"])] = Unit(
            file="".join(values["FragmentPath"]),
            made_from="".join(values["SourcePath"]),
            pids=tuple(int(pid) for pid in values["MainPID"] + values["ControlPID"] if int(pid)),
            programs=tuple(re.findall(r"\{ path=(\S+) ;", "\n".join(values["ExecStart"]))),
        )
    return found


def logins() -> dict[str, str]:
    """Those that have not ended, as logind says."""
    found = {}
    for path in Path("/run/systemd/sessions").glob("*"):
        if path.is_file():
            value = dict(line.partition("=")[::2] for line in text(path).splitlines())
            leader = Path("/proc", value.get("LEADER", "-"))
            if value.get("STATE") != "closing" and "SCOPE" in value and leader.exists():
                found[value["SCOPE"]] = account(int(value["UID"]))
    return found


@cache
def packaged() -> dict[str, str]:
    """The Debian source of each file of a package."""
    sources = {}
    for block in text(DPKG / "status").split("\n\n"):
        name = re.search(r"(?m)^Package: (\S+)", block)
        named = re.search(r"(?m)^Source: (\S+)", block)
        if name:
            sources[name[1]] = (named or name)[1]
    found: dict[str, str] = {}
    for path in (DPKG / "info").glob("*.list"):
        of_package = sources.get(path.stem.partition(":")[0], "")
        found.update(dict.fromkeys(text(path).splitlines(), of_package))
    diverted = text(DPKG / "diversions").splitlines()
    for original, place in zip(diverted[::3], diverted[1::3], strict=False):
        found[place] = found.get(original, "")
    return found


@cache
def source(path: str) -> str:
    """Empty for a file of no package. Some of Debian 12's are listed without /usr."""
    path = path.removesuffix(" (deleted)")
    return packaged().get(path) or packaged().get(path.removeprefix("/usr"), "")


@cache
def sources_of(unit: Unit) -> frozenset[str]:
    programs = (str(Path(path).resolve()) for path in unit.programs)
    own = [path for path in programs if not INTERPRETER.fullmatch(path)]
    return frozenset({source(path) for path in [unit.file, unit.made_from, *own]} - {""})


@cache
def on_disk(path: str, at: tuple[int, int]) -> str:
    """A program that a sandbox mounts by itself is called `/` there."""
    if path.count("/") > 1:
        return path
    for place in filter(os.path.isdir, PLACES):
        for entry in os.scandir(place):
            if entry.inode() == at[1] and (status := entry.stat()).st_dev == at[0]:
                return entry.path if status.st_ino == at[1] else path
    return path


@cache
def account(uid: int) -> str:
    try:
        return getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


kinds = Server().kinds()
if any(not kept or (unit and not source) for kept, unit, _, _, _, source in kinds):
    time.sleep(0.3)  # what is just being started or ended looks as if nothing kept it
    kinds = Server().kinds()
[boot] = re.findall(r"(?m)^btime (\d+)", text(Path("/proc/stat")))
second = os.sysconf("SC_CLK_TCK")
printed = ""
for kind, alike in kinds.items():
    start = int(boot) + alike[0].start / second
    pids = " ".join(str(process.pid) for process in alike[:PIDS])
    printed += "".join(f"{field}\0" for field in (*kind, start, len(alike), pids))
sys.stdout.write(b64encode(printed.encode("utf-8", "surrogateescape")).decode())
