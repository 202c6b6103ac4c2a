"""What is going to fail without a change: updates, disks, backups and the clock."""

import time
from collections.abc import Iterator

from stagecraft.drift.findings import Class, Finding, Kind, Severity
from stagecraft.drift.judging.remedies import shortened
from stagecraft.drift.looking.server import Declared, ask
from stagecraft.facts.backups import BackupsFact
from stagecraft.facts.clock import ClockFact
from stagecraft.facts.disks import DisksFact
from stagecraft.facts.updates import Updates, UpdatesFact
from stagecraft.settings import Host
from stagecraft.settings.values import hours

APT_LISTS = Kind(Class.WEARING, "apt lists", "every day")
UPGRADES = Kind(Class.WEARING, "unattended upgrades", "every day")
SECURITY_UPDATES = Kind(Class.WEARING, "security updates", "installed")
REBOOT = Kind(Class.WEARING, "reboot")
SPACE = Kind(Class.WEARING, "disk space", "less than 80 % used")
INODES = Kind(Class.WEARING, "inodes", "less than 80 % used")
BACKUP = Kind(Class.WEARING, "backup")
CLOCK = Kind(Class.WEARING, "clock", "synchronized with them")

HOUR = 3600
DAY = 24 * HOUR


def days(seconds: float) -> str:
    """As text: `5 days`, `1 day`, `9 hours`."""
    count, unit = (seconds / DAY, "day") if seconds >= DAY else (seconds / HOUR, "hour")
    return f"{int(count)} {unit}{'' if int(count) == 1 else 's'}"


LATE = 3 * DAY
"""Lists and upgrades are daily; this allows for a machine that is off over a weekend."""


def updates(declared: Declared) -> Iterator[Finding]:
    """Without `host`, no automatic upgrades are declared, so anything may wait; with it, only what
    unattended-upgrades left: held packages, and those with a question."""
    found, settings, now = ask(UpdatesFact), declared.settings.host, time.time()
    if found.waiting and (settings is None or found.upgraded > found.fetched):
        yield SECURITY_UPDATES.finding(
            "waiting",
            severity=Severity.HIGH if settings else Severity.LOW,
            found=shortened(sorted(found.waiting), 5),
            remedy="apt-get upgrade",
        )
    if settings:
        yield from stalled(found, now)
        yield from reboot_due(found, settings, now)


def stalled(updates: Updates, now: float) -> Iterator[Finding]:
    """Daily jobs that did not run. A new machine gets a few days first."""
    for kind, thing, moment, command in (
        (APT_LISTS, "security", updates.lists, "apt-get update"),
        (UPGRADES, "success", updates.upgraded, "unattended-upgrade -v"),
    ):
        if now - max(moment, updates.declared) > LATE:
            found = f"the last was {days(now - moment)} ago" if moment else "there was none yet"
            yield kind.finding(thing, found=found, remedy=command, since=moment)


def reboot_due(updates: Updates, settings: Host, now: float) -> Iterator[Finding]:
    """Excludes kernels, which are checked separately. A machine that reboots by itself gets a
    day."""
    others = {name for name in updates.reboot_for if not name.startswith("linux-image")}
    by_itself = settings.upgrades.reboot != "never"
    if not updates.reboot or (updates.reboot_for and not others):
        return
    if by_itself and now - updates.reboot < DAY:
        return
    yield REBOOT.finding(
        "due",
        severity=Severity.HIGH if by_itself else Severity.LOW,
        expected=f"one at {settings.upgrades.reboot}" if by_itself else "none is pending",
        found=f"needed since an upgrade of {', '.join(sorted(others)) or 'something'}",
        remedy="reboot",
        since=updates.reboot,
    )


LEVELS = ((97, Severity.CRITICAL), (90, Severity.HIGH), (80, Severity.LOW))
"""The thresholds in percent, with severities."""


def disks(_: Declared) -> Iterator[Finding]:
    for disk in ask(DisksFact):
        for kind, used, options in ((SPACE, disk.space, ""), (INODES, disk.inodes, " --inodes")):
            reached = (severity for percent, severity in LEVELS if used >= percent)
            if severity := next(reached, None):
                yield kind.finding(
                    disk.mount,
                    severity=severity,
                    found=f"{used} % used",
                    remedy=f"du -xh{options} {disk.mount} | sort -h | tail",
                )


GRACE = 1.25
"""A multiple of the declared interval, because a backup may take longer than the last one."""


def backups(declared: Declared) -> Iterator[Finding]:
    longest = {path: hours(every) * GRACE for path, every in declared.settings.backups.items()}
    minutes = {path: int(60 * limit) for path, limit in longest.items()}
    newest, now = ask(BackupsFact, minutes=minutes) if minutes else {}, time.time()
    for path, every in declared.settings.backups.items():
        written = newest.get(path)
        if written is None or now - written > longest[path] * HOUR:
            yield BACKUP.finding(
                path,
                expected=f"a new one every {every}",
                found=f"the newest is {days(now - written)} old" if written else "there is none",
                remedy=f"ls -lt {path}; systemctl list-timers --all; crontab -l",
                since=written or 0,
            )


WRONG = 300
"""In seconds; an answer takes less than two minutes."""


def clock(_: Declared) -> Iterator[Finding]:
    """Time servers only if systemd-timesyncd runs: not in containers or with other daemons. A
    machine that has just booted has not asked yet, so this allows an hour."""
    clock = ask(ClockFact)
    if abs(clock.ahead) > WRONG:
        direction = "ahead of" if clock.ahead > 0 else "behind"
        yield CLOCK.finding(
            "time",
            expected="as the clock of the machine that checks",
            found=f"{abs(clock.ahead) / 60:.0f} minutes {direction} it",
            remedy="systemctl restart systemd-timesyncd.service; timedatectl status",
        )
    if clock.kept and not clock.synchronized and time.time() - clock.since > HOUR:
        yield CLOCK.finding(
            "time servers",
            found="systemd-timesyncd has reached no time server since the boot",
            remedy="timedatectl timesync-status; journalctl -u systemd-timesyncd.service",
            since=clock.since,
        )
