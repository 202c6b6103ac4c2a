"""Measures all figures of docs/performance.md alternately, and prints them as its tables."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Callable, Sequence
from datetime import date
from functools import partial
from pathlib import Path
from statistics import median

from project import Project

from bench import nightly, releasing
from bench.runs import ROUNDS, Figure, Taken, in_turns, take
from bench.servers import SITE, STATE, Subject, bare, copies, far, rented, together
from bench.serving import Serving, serving
from lab.lab import Lab
from stagecraft.connection.prefetch import Prefetch
from stagecraft.packages import MACHINE_PACKAGES

STOCK = "stock pyinfra"
FAST = "all four, the default"
OPTIMIZATIONS = {
    STOCK: "no",
    "nodelay alone": "nodelay",
    "shell alone": "shell",
    "all but prefetch": "nodelay,shell,once",
    "all but nodelay": "shell,prefetch,once",
    "all but once": "nodelay,shell,prefetch",
    FAST: "nodelay,shell,prefetch,once",
}
"""Prefetch asks through the shell, so there is no run with it alone."""


def main() -> None:
    lab = Lab(STATE)
    lab.down()
    try:
        open_site = production(lab)
        measured = serving(open_site)
        released = releasing.releasing(open_site)
        contact = first_contact(lab)
        checked = nightly.nightly(lab)
        subject, provisioning = fresh(lab)
        near = no_op(subject)
        with far([subject], lab):
            distant = no_op(subject)
        channels = {
            name: count_channels(subject, optimizations)
            for name, optimizations in OPTIMIZATIONS.items()
        }
        fleet = ten_servers(lab, subject)
    finally:
        lab.down()
    print(heading())
    print(targets(contact, provisioning, near, distant, channels, fleet))
    print(nights(checked))
    print(of_list(checked))
    print(contributions(near, distant, channels))
    print(releases(released))
    print(isolation_cost(measured))


# --- What is run ---


def run(project: Project, *arguments: str, verb: str = "deploy.py", fast: str = "") -> Taken:
    """A run of the project in this mode, with these optimizations."""
    pyinfra = str(Path(sys.executable).with_name("pyinfra"))
    command = [pyinfra, *arguments, "inventories/staging.py", verb]
    return take(command, project.directory, PYINFRA_PROGRESS="off", STAGECRAFT_FAST=fast)


def without_memory(subject: Subject) -> Taken:
    """The first run of a checkout, on a drift check's machine for instance."""
    shutil.rmtree(subject.memory, ignore_errors=True)
    return run(subject.project, "--dry")


def login(subject: Subject, command: str, stdin: str = "") -> Taken:
    ssh = ["ssh", "-F", str(subject.ssh_config), "-o", "BatchMode=yes", subject.server.name]
    return take([*ssh, command], STATE, stdin)


def install(subject: Subject, packages: list[str]) -> Taken:
    """What there is to compare with: apt-get alone."""
    command = "DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends"
    return login(subject, f"{command} {' '.join(packages)}")


def all_facts(subject: Subject) -> str:
    """All that a run asks, as a script."""
    (memory,) = subject.memory.glob("*.json")
    return "\n".join(f"sh -c {quoted(command)}" for command in Prefetch(memory).commands)


def quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "' </dev/null"


# --- What is measured ---


def production(lab: Lab) -> Subject:
    """A server with a site that is open, yields to nobody, and has as many processes as Debian's
    pool."""
    subject = bare(lab, "serving")
    site = SITE | {"domain": "api.askpro.test", "aliases": [], "mark_staging": False, "protect": {}}
    site |= {"php_fpm": {"max_children": 5}, "app": releasing.SETTINGS}
    sites = {"server": subject.server.name, "sites": {"askpro": site}}
    subject.project.write(staging=sites)
    run(subject.project, "-y")
    return subject


def first_contact(lab: Lab, rounds: int = ROUNDS) -> dict[str, Figure]:
    """Bootstrap of a bare server, beside apt-get alone with its packages."""

    def bootstrap() -> Taken:
        subject = rented(lab, "rented")
        taken = run(subject.project, "-y", "--user", "root", verb="bootstrap.py")
        subject.server.harvest()
        return taken

    return in_turns(
        {
            "apt-get install alone": lambda: install(rented(lab, "rented"), MACHINE_PACKAGES),
            "bootstrap": bootstrap,
        },
        rounds,
    )


def fresh(lab: Lab) -> tuple[Subject, dict[str, Figure]]:
    """From bare to serving, beside apt-get alone; the last server stays."""
    subjects: list[Subject] = []

    def new(action: Callable[[Subject], Taken]) -> Taken:
        subjects[:] = [bare(lab, "one")]
        return action(subjects[0])

    def floor(subject: Subject) -> Taken:
        return install(subject, subject.packages())

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
    for name, optimizations in OPTIMIZATIONS.items():
        actions[name] = partial(run, project, "--dry", fast=optimizations)
    return in_turns(actions)


def count_channels(subject: Subject, optimizations: str) -> int:
    """The more of both modes."""
    counts = []
    for mode in ("--dry", "-y"):
        before = subject.channels()
        run(subject.project, mode, fast=optimizations)
        counts.append(subject.channels() - before - 1)
    return max(counts)


def ten_servers(lab: Lab, subject: Subject) -> dict[str, Figure]:
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
    contact: dict[str, Figure],
    provisioning: dict[str, Figure],
    near: dict[str, Figure],
    distant: dict[str, Figure],
    channels: dict[str, int],
    fleet: dict[str, Figure],
) -> str:
    rows = [
        ("bootstrap / apt-get install", *ratio(contact, "bootstrap"), "1.5", ""),
        ("fresh provisioning / apt-get install", *ratio(provisioning, "fresh provisioning"),
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


def releases(figures: dict[str, Figure]) -> str:
    must = {"release": "5 s", "rollback": "10 s", "rollback on the server": "1 s"}
    rows = []
    for name, limit in must.items():
        hand, ours = figures[f"by hand: {name}"], figures[name]
        ratio = f"{ours.seconds / hand.seconds:.1f}"
        rows.append((name, seconds(hand), seconds(ours), ratio, limit))
    return table(("a release without build steps", "by hand", "ours", "ratio", "must"), rows)


def isolation_cost(measured: Serving) -> str:
    rows = [
        row
        for name, pairs in measured.pairs.items()
        for row in (
            compared(name, [(stock.rate, ours.rate) for stock, ours in pairs], "{:.0f}/s"),
            compared(f"{name}, CPU", [(stock.cpu, ours.cpu) for stock, ours in pairs], "{:.1f} µs"),
        )
    ]
    memory = ("memory of one more idle site", f"{measured.pool:.1f} MB", f"{measured.own:.1f} MB")
    rows.append((*memory, f"{measured.own / measured.pool:.1f}", "", ""))
    return table(("serving", "Debian's stock", "ours", "ratio", "must", "aim"), rows)


def compared(name: str, pairs: list[tuple[float, float]], unit: str) -> tuple[str, ...]:
    """Medians of both, and of the pairs' own ratios: above 1, ours is the faster."""
    stock, ours = (median(values) for values in zip(*pairs, strict=True))
    ratio = median(b / a if unit.endswith("/s") else a / b for a, b in pairs)
    return (name, unit.format(stock), unit.format(ours), f"{ratio:.2f}", "0.95", "1.0")


def ratio(figures: dict[str, Figure], name: str) -> tuple[str, str, str]:
    floor = figures["apt-get install alone"].seconds
    return f"{floor:.1f} s", "", f"{figures[name].seconds / floor:.2f}"


def nights(night: nightly.Night) -> str:
    must = {nightly.DRIFT: ("2 s", "1.5 s", "20 MB")}
    rows = [
        (name, seconds(its), f"{its.of_server:.2f} s", f"{its.moved:.1f} MB", megabytes(its),
         ", ".join(must.get(name, ())))
        for name, its in night.figures.items()
    ]  # fmt: skip
    head = (f"a night, {night.files} files", "time", "server's CPU", "moved", "memory", "must")
    return table(head, rows)


def of_list(night: nightly.Night) -> str:
    rows = [(name, f"{count} of {night.listed}") for name, count in night.found.items()]
    return table(("changes that somebody listed", "found"), rows)


def contributions(
    near: dict[str, Figure], distant: dict[str, Figure], channels: dict[str, int]
) -> str:
    rows = [
        (name, seconds(near[name]), seconds(distant[name]), f"{channels[name]}")
        for name in OPTIMIZATIONS
    ]
    bare_login = (
        "(one `ssh`, nothing else)",
        *(seconds(f["ssh, nothing"]) for f in (near, distant)),
    )
    return table(("optimizations", "0 ms", "30 ms", "channels"), [*rows, (*bare_login, "1")])


def seconds(figure: Figure) -> str:
    return f"{figure.seconds:.2f} s"


def megabytes(figure: Figure) -> str:
    return f"{figure.megabytes:.0f} MB"


def table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    """A table of Markdown."""
    lines = [head, tuple("---" for _ in head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


if __name__ == "__main__":
    main()
