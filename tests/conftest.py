"""What holds for all tests, in whichever process they run."""

from __future__ import annotations

import pytest
from gevent import monkey

# pyinfra_cli puts gevent's threads in the place of Python's wherever it is imported, and the
# workers of pytest-xdist die of that. Runs are programs of their own: no test needs it here.
monkey.patch_all = lambda: True


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Prints the matrix of isolation with what came of it, from all workers."""
    from isolation import verdicts  # its imports come to pyinfra_cli

    reports = terminalreporter.getreports("passed") + terminalreporter.getreports("failed")
    results = [
        value
        for report in reports
        for key, value in report.user_properties
        if key == "isolation" and report.when == "call"
    ]
    if results:
        terminalreporter.section("staging tries to")
        terminalreporter.write("".join(f"{line}\n" for line in verdicts(results)))
