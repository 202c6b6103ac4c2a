"""The check never changes the server: its files, its processes, what its database holds."""

from __future__ import annotations

import pytest
from tampering import Guarded

NOT_OURS = {
    "/var/log/journal": "sshd, sudo and logind tell of the login itself",
    "/var/log/wtmp": "so does wtmp, on Debian 12",
    "/var/log/lastlog": "and lastlog",
    "/var/lib/wtmpdb": "and wtmpdb, on Debian 13",
    "/var/lib/lastlog": "and lastlog2",
    "/var/lib/fail2ban": "fail2ban notes how far it has read the journal",
    "/run": "PAM makes the message of the day, logind a session",
}
"""What a login by SSH writes by itself, whatever is done then."""

LISTING = (
    "find / /tmp /var/tmp /run/stagecraft -xdev \\( {skipped} \\) -prune"
    " -o -printf '%p %y %m %U:%G %s %T@ %C@ %l\\n' 2>/dev/null"
    # MariaDB answers from temporary tables, which come and go there.
    " | grep -v '^/tmp d '"
)

PROCESSES = (
    # Everything that is in a unit of its own; a login's processes are in a slice of their own.
    "for status in /proc/[0-9]*; do"
    " grep -q '/system.slice/' $status/cgroup 2>/dev/null || continue;"
    " grep -q 'ssh.service\\|user@\\|user-runtime-dir@' $status/cgroup && continue;"
    " started=$(cut -d ' ' -f 22 $status/stat 2>/dev/null) && [ \"$started\" ] || continue;"
    " echo ${status#/proc/} $started $(cat $status/comm); done"
)

HELD = (
    "mariadb-dump --all-databases --skip-dump-date --skip-comments | sha256sum;"
    # --terse: without the addresses that have just logged in.
    " nft --stateless --terse list ruleset;"
    " sysctl -a 2>/dev/null | grep -v 'random\\|nr\\|state\\|_count\\|last_pid\\|quota';"
    " systemctl list-units --all --plain --no-legend --type=service,socket,timer"
    " | grep -v 'user@\\|user-runtime-dir@\\|systemd-hostnamed\\|systemd-timedated'"
    " | awk '{print $1, $2, $3}'"
)


def everything(guarded: Guarded) -> dict[str, list[str]]:
    skipped = " -o ".join(f"-path {path}" for path in NOT_OURS)
    commands = {
        "files": LISTING.format(skipped=skipped),
        "processes": PROCESSES,
        "held": HELD,
    }
    return {name: guarded.shell(command).splitlines() for name, command in commands.items()}


@pytest.mark.parametrize("tampered", [False, True], ids=["converged", "with findings"])
def test_the_check_changes_nothing(guarded: Guarded, tampered: bool) -> None:
    if tampered:
        guarded.shell("echo '# by hand' >> /etc/nginx/conf.d/stagecraft.conf")
        guarded.shell("mariadb -e \"GRANT ALL ON *.* TO 'askpro_production'@'localhost'\"")
        guarded.shell("systemctl stop redis-server@askpro-production")
    try:
        guarded.check()  # its login makes what every first one does
        before = everything(guarded)
        report = guarded.check()
        after = everything(guarded)
    finally:
        if tampered:
            guarded.project.apply("production")
    assert bool(report.findings) == tampered
    for name, lines in before.items():
        assert sorted(set(after[name]) ^ set(lines)) == [], name
