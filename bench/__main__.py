"""Measures all figures of docs/performance.md side by side, and prints them as its tables."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Callable
from datetime import date
from functools import partial
from pathlib import Path

from project import Project

from bench.runs import ROUNDS, Figure, Taken, in_turns, take
from bench.servers import STATE, Subject, bare, copies, far, together
from stagecraft.connection.foresight import Foresight
from stagecraft.nspawn.lab import Lab

STOCK = "stock pyinfra"
FAST = "all three, the default"
LEVERS = {
    STOCK: "no",
    "nodelay alone": "nodelay",
    "shell alone": "shell",
    "all but foresight": "nodelay,shell",
    "all but nodelay": "shell,foresight",
    FAST: "nodelay,shell,foresight",
}
"""Foresight asks through the shell, so there is no run with it alone."""


def main() -> None:
    lab = Lab(STATE)
    lab.down()
    try:
        subject, provisioning = fresh(lab)
        near = no_op(subject)
        with far([subject], lab):
            distant = no_op(subject)
        channels = {name: count_channels(subject, levers) for name, levers in LEVERS.items()}
        fleet = ten(lab, subject)
    finally:
        lab.down()
    print(heading())
    print(targets(provisioning, near, distant, channels, fleet))
    print(contributions(near, distant, channels))


# --- What is run ---


def run(project: Project, *arguments: str, fast: str = "") -> Taken:
    """A run of the project in this mode, with these levers."""
    pyinfra = str(Path(sys.executable).with_name("pyinfra"))
    command = [pyinfra, *arguments, "inventories/staging.py", "deploy.py"]
    return take(command, project.directory, PYINFRA_PROGRESS="off", STAGECRAFT_FAST=fast)


def without_memory(subject: Subject) -> Taken:
    """The first run of a checkout, on a drift check's machine for instance."""
    shutil.rmtree(subject.memory, ignore_errors=True)
    return run(subject.project, "--dry")


def login(subject: Subject, command: str, stdin: str = "") -> Taken:
    ssh = ["ssh", "-F", str(subject.ssh_config), "-o", "BatchMode=yes", subject.server.name]
    return take([*ssh, command], STATE, stdin)


def all_facts(subject: Subject) -> str:
    """All that a run asks, as a script."""
    (memory,) = subject.memory.glob("*.json")
    return "\n".join(f"sh -c {quoted(command)}" for command in Foresight(memory).commands)


def quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "' </dev/null"


# --- What is measured ---


def fresh(lab: Lab) -> tuple[Subject, dict[str, Figure]]:
    """From bare to serving, beside apt-get alone; the last server stays."""
    subjects: list[Subject] = []

    def new(action: Callable[[Subject], Taken]) -> Taken:
        subjects[:] = [bare(lab, "one")]
        return action(subjects[0])

    def floor(subject: Subject) -> Taken:
        packages = " ".join(subject.packages())
        install = "DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends"
        return login(subject, f"{install} {packages}")

    def provision(subject: Subject) -> Taken:
        taken = run(subject.project, "-y")
        subject.server.harvest()
        return taken

    figures = in_turns(
        {
            "plan of a bare server": lambda: new(without_memory),
            "apt-get install alone": lambda: new(floor),
            "fresh provisioning": lambda: new(provision),
        }
    )
    return subjects[0], figures


def no_op(subject: Subject) -> dict[str, Figure]:
    """Runs that find nothing to do."""
    project = subject.project
    run(project, "--dry")
    actions: dict[str, Callable[[], Taken]] = {
        "ssh, nothing": partial(login, subject, "true"),
        "ssh, all checks": partial(login, subject, "sh", all_facts(subject)),
        "-y": partial(run, project, "-y"),
        "without memory": partial(without_memory, subject),
    }
    for name, levers in LEVERS.items():
        actions[name] = partial(run, project, "--dry", fast=levers)
    return in_turns(actions)


def count_channels(subject: Subject, levers: str) -> int:
    """The more of both modes."""
    counts = []
    for mode in ("--dry", "-y"):
        before = subject.channels()
        run(subject.project, mode, fast=levers)
        counts.append(subject.channels() - before - 1)
    return max(counts)


def ten(lab: Lab, subject: Subject) -> dict[str, Figure]:
    """Ten servers at once, far away."""
    subjects = copies(lab, subject, 10)
    project = together(subjects)
    run(project, "-y")
    with far(subjects, lab):
        return in_turns(
            {
                STOCK: partial(run, project, "--dry", fast="no"),
                FAST: partial(run, project, "--dry"),
                "-y": partial(run, project, "-y"),
            }
        )


# --- What is printed ---


def heading() -> str:
    load = os.getloadavg()[0]
    return (
        f"{date.today()}, {os.cpu_count()} cores, Linux {platform.release()}, Python"
        f" {platform.python_version()}; servers on the same machine; medians of {ROUNDS};"
        f" load {load:.1f} at the end.\n"
    )


def targets(
    provisioning: dict[str, Figure],
    near: dict[str, Figure],
    distant: dict[str, Figure],
    channels: dict[str, int],
    fleet: dict[str, Figure],
) -> str:
    floor = provisioning["apt-get install alone"].seconds
    ratio = provisioning["fresh provisioning"].seconds / floor
    rows = [
        ("fresh provisioning / apt-get install", f"{floor:.1f} s", "", f"{ratio:.2f}",
         "1.4", "1.15"),
        ("plan of a bare server", "", "", seconds(provisioning["plan of a bare server"]),
         "", "1.5 s"),
    ]  # fmt: skip
    for name, figures, must, aim in (("0 ms", near, "1.5 s", "0.8 s"),
                                     ("30 ms", distant, "2.5 s", "1.2 s")):  # fmt: skip
        floor_and_stock = (seconds(figures["ssh, all checks"]), seconds(figures[STOCK]))
        rows += [
            (f"no-op `--dry`, {name}", *floor_and_stock, seconds(figures[FAST]), must, aim),
            (f"no-op `-y`, {name}", *floor_and_stock, seconds(figures["-y"]), must, aim),
            (f"no-op without memory, {name}", *floor_and_stock,
             seconds(figures["without memory"]), must, ""),
        ]  # fmt: skip
    rows += [
        ("SSH channels of a no-op run", "1", f"{channels[STOCK]}", f"{channels[FAST]}", "20", "3"),
        ("ten servers `--dry`, 30 ms", "", seconds(fleet[STOCK]), seconds(fleet[FAST]),
         "6 s", "3 s"),
        ("ten servers `-y`, 30 ms", "", seconds(fleet[STOCK]), seconds(fleet["-y"]), "6 s", "3 s"),
        ("memory, one server", "", megabytes(near[STOCK]), megabytes(near[FAST]), "", ""),
        ("memory, ten servers", "", megabytes(fleet[STOCK]), megabytes(fleet[FAST]), "", ""),
    ]  # fmt: skip
    return table(("figure", "floor", "stock pyinfra", "ours", "must", "aim"), rows)


def contributions(
    near: dict[str, Figure], distant: dict[str, Figure], channels: dict[str, int]
) -> str:
    rows = [
        (name, seconds(near[name]), seconds(distant[name]), f"{channels[name]}") for name in LEVERS
    ]
    bare_login = (
        "(one `ssh`, nothing else)",
        *(seconds(f["ssh, nothing"]) for f in (near, distant)),
    )
    return table(("levers", "0 ms", "30 ms", "channels"), [*rows, (*bare_login, "1")])


def seconds(figure: Figure) -> str:
    return f"{figure.seconds:.2f} s"


def megabytes(figure: Figure) -> str:
    return f"{figure.megabytes:.0f} MB"


def table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """A table of Markdown."""
    lines = [head, tuple("---" for _ in head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


if __name__ == "__main__":
    main()
