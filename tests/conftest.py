"""What holds for all tests, in whichever process they run."""

from __future__ import annotations

import os
import re
import signal
import sys
from collections import Counter
from collections.abc import Iterable
from itertools import chain

import pytest
from gevent import monkey

# pyinfra_cli puts gevent's threads in the place of Python's wherever it is imported, and the
# workers of pytest-xdist die of that. Runs are programs of their own: no test needs it here.
monkey.patch_all = lambda: True

pytest.register_assert_rewrite("bare", "console", "project", "provisioned", "tampering")

# What a run compiles, the hundreds of runs after it need not compile again.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# Whatever runs in the background of a shell is born deaf to Ctrl-C, and so is what it starts.
signal.signal(signal.SIGINT, signal.default_int_handler)


GROUP = re.compile(r"@([\w-]+)$")
"""In the name of a test that pytest-xdist gives to one worker with others, what they share."""


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Names what has failed at once: pytest-xdist does so at its end alone."""
    if report.failed and "PYTEST_XDIST_WORKER" not in os.environ:
        print(f"\nFAILED {report.nodeid} ({report.when})\n", file=sys.stderr, flush=True)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Prints the matrix of isolation and the table of drift with what came of them, and what each
    server cost, from all workers."""
    from isolation import verdicts  # its imports come to pyinfra_cli
    from tampering import table

    reports = terminalreporter.getreports("passed") + terminalreporter.getreports("failed")
    recorded = [
        (name, value, report.passed)
        for report in reports
        for name, value in report.user_properties
        if report.when == "call"
    ]
    if attempts := [value for name, value, _ in recorded if name == "isolation"]:
        print_section(terminalreporter, "staging tries to", verdicts(attempts))
    if changes := [(tuple(value), passed) for name, value, passed in recorded if name == "drift"]:
        print_section(terminalreporter, "somebody changes", table(changes))
    if rounds := [value for name, value, _ in recorded if name == "planted"]:
        print_section(terminalreporter, "of planted changes were found", scores(rounds))
    if cost := seconds_of_groups(terminalreporter):
        lines = (f"{seconds:6.0f} s  {group}" for group, seconds in cost.most_common())
        print_section(terminalreporter, "a worker spent", lines)


def seconds_of_groups(terminal: pytest.TerminalReporter) -> Counter[str]:
    cost: Counter[str] = Counter()
    for report in chain.from_iterable(terminal.stats.values()):
        if isinstance(report, pytest.TestReport) and (found := GROUP.search(report.nodeid)):
            cost[found[1]] += report.duration
    return cost


def print_section(terminal: pytest.TerminalReporter, title: str, lines: Iterable[str]) -> None:
    terminal.section(title)
    terminal.write("".join(f"{line}\n" for line in lines))


def scores(rounds: Iterable[tuple[str, int, int]]) -> Iterable[str]:
    found, made = Counter[str](), Counter[str]()
    for name, some, all_of_them in rounds:
        found[name] += some
        made[name] += all_of_them
    return (f"{found[name]:6} of {made[name]}  {name}" for name in made)
