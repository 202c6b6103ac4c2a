"""What somebody planted is found. `held_out.yml` was planted for the first time when the check was
finished, and `held_out_2.yml` when the misses of that were closed. How many are found is printed at
the end of a run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from planted import Planted, planted, run, told
from tampering import Guarded, failures

LISTS = ("planted", "held_out", "held_out_2")
AT_ONCE = 40
PATIENCE = 3
"""Checks until all is put right: a reload may come to light by another's remedy."""

AS_ONE = "processes of one user with one program are one finding, which names no pid twice"
MISSED = {
    "timer-stopped": "a timer of Debian's that does nothing for us may be stopped",
    "user-timer-linger": "its directory is found, as one",
    "ca-conf": "what is not trusted any more harms nobody",
    "current-switched": "a site without `app:` may be released by other tools",
    "proc-kernel-name": AS_ONE,
    "proc-preload": AS_ONE,
    "proc-namespace": AS_ONE,
    "abstract-socket": AS_ONE,
    "db-anonymous": "it is found, under another name",
    "ip-forward": "the network of a throwaway server forwards already",
    "log-deleted": "nobody has the log open, and logrotate deletes logs, too",
    "fail2ban-running": "it is found not to run what its files say, as after other changes",
    "moduli": "a run takes weak ones out, and fewer of them are no weaker",
    "dpkg-list-adopted": "the package's other records are found older than its list",
    "journal-relinquished": "the journal comes back to the disk by itself",
    "hostname-file": "it is found, under another name",
    "ptrace-php": AS_ONE,
    "listen-vsock": AS_ONE,
    "proc-in-nginx-unit": AS_ONE,
    "redis-function": "not looked at: functions of Redis, which any of a site's logins may read",
    "selected-editor": "not read: the line that select-editor writes may have others below it",
    "tmp-under-mount": "not looked at: what is below a mount needs a mount to be seen",
    "debconf-answer": "not looked at: what packages will be told when they are configured anew",
    "apt-auto-marks": "not told apart: what others need is marked like this, too",
    "tls-chain-foreign": "not read: what is behind the certificate that is served",
    "remount-suid": "not looked at: options of the mounts that systemd makes",
    "sysv-shm": "not looked at: shared memory",
    "pid1-log-level": "not looked at: how much systemd says of itself",
    "fpm-running-env": "PHP-FPM overwrites its environment with its title",
}
"""Changes of which no finding may say what their list expects, and why."""


def rounds() -> Iterator[Any]:
    for name in LISTS:
        of_list = planted(name)
        for first in range(0, len(of_list), AT_ONCE):
            yield pytest.param(name, of_list[first : first + AT_ONCE], id=f"{name}-{first}")


@pytest.mark.parametrize(("name", "changes"), list(rounds()))
def test_what_somebody_planted_is_found(
    guarded: Guarded,
    record_property: Callable[[str, object], None],
    name: str,
    changes: list[Planted],
) -> None:
    made = run(guarded, [change.change for change in changes])
    assert made == [0] * len(changes), [c.id for c, code in zip(changes, made, strict=True) if code]
    full = name != "planted"
    reports = (guarded.check("production", full), guarded.check("staging"))
    texts = [told(finding) for report in reports for finding in report.findings]
    run(guarded, [change.undo for change in reversed(changes)])
    missed = {change.id for change in changes if not any(map(change.told_by, texts))}
    record_property("planted", (name, len(changes) - len(missed), len(changes)))
    assert missed <= MISSED.keys()


def test_nothing_of_it_is_left(guarded: Guarded) -> None:
    for environment in ("production", "staging") * PATIENCE:
        list(failures(guarded, guarded.check(environment).findings))
    assert [finding.id for finding in guarded.check("production").findings] == []
    assert [finding.id for finding in guarded.check("staging").findings] == []
