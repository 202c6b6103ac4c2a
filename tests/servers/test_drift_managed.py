"""Differences that a run of deploy.py would put right."""

from __future__ import annotations

from tampering import Guarded


def test_a_converged_server_is_clean(guarded: Guarded) -> None:
    for environment in ("staging", "production"):
        report = guarded.check(environment)
        assert (report.findings, report.unchecked) == ([], [])
