"""What holds for all tests, in whichever process they run."""

from __future__ import annotations

import signal
from collections.abc import Iterable

import pytest
from gevent import monkey

# pyinfra_cli puts gevent's threads in the place of Python's wherever it is imported, and the
# workers of pytest-xdist die of that. Runs are programs of their own: no test needs it here.
monkey.patch_all = lambda: True

pytest.register_assert_rewrite("project", "provisioned", "tampering")

# Whatever runs in the background of a shell is born deaf to Ctrl-C, and so is what it starts.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Prints the matrix of isolation and the table of drift with what came of them, from all
    workers."""
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


def print_section(terminal: pytest.TerminalReporter, title: str, lines: Iterable[str]) -> None:
    terminal.section(title)
    terminal.write("".join(f"{line}\n" for line in lines))
