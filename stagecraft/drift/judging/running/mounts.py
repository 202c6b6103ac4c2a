"""What is mounted over what is declared, or over what packages have brought."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Iterator

from pyinfra.context import host

from stagecraft.drift.findings import MOUNT, THEN, Finding, Report, Severity
from stagecraft.drift.judging.running.finding import finding
from stagecraft.drift.judging.unmanaged.places import refresh_of
from stagecraft.drift.looking.areas import Looked
from stagecraft.drift.looking.declared import Declared
from stagecraft.facts.kernel import Kernel, KernelFact, Mount

WITHOUT_VOLUMES = ("/etc", "/usr")
"""Nobody has a reason to mount anything there."""

BY_SYSTEMD = frozenset({"/etc/machine-id"})
"""Where / cannot be written while the machine boots."""


def mounts(declared: Declared) -> Looked:
    kernel: Kernel = host.get_fact(KernelFact)
    return Looked(list(over_what_is_there(kernel.mounts, declared)))


def over_what_is_there(mounted: Collection[Mount], declared: Declared) -> Iterator[Finding]:
    targets = [mount.target for mount in mounted]
    for mount in {mount.target: mount for mount in mounted}.values():
        hides = any(lies_at(path, mount.target) for path in declared.paths)
        if is_watched(mount, declared, hides=hides):
            unmount = " && ".join(
                [f"umount {shlex.quote(mount.target)}"] * targets.count(mount.target)
            )
            yield found(mount, unmount, declared) if hides else found(mount, unmount)


def is_watched(mount: Mount, declared: Declared, *, hides: bool) -> bool:
    """Not what the machine's own disks are mounted at, such as /boot, /var or /home."""
    if mount.declared or mount.target in BY_SYSTEMD:
        return False
    if any(lies_at(mount.target, path) for path in (*WITHOUT_VOLUMES, *declared.paths)):
        return True
    return hides and mount.target.count("/") > 1


def found(mount: Mount, unmount: str, declared: Declared | None = None) -> Finding:
    """Where it hides what is `declared`, a run has that taken up again: what loads it may run what
    was mounted, and the files are marked as changed for that (their ctime is)."""
    remedy = unmount
    if declared:
        run = f"pyinfra inventories/{declared.environment.name}.py deploy.py"
        remedy += f" && find {shlex.quote(mount.target)} -xdev -exec touch -ha {{}} +{THEN}{run}"
    return finding(
        Severity.CRITICAL if declared else Severity.HIGH,
        (MOUNT, mount.target),
        expected="nothing is mounted there",
        found=f"{mount.root} of {mount.source} ({mount.type}) hides what is there",
        remedy=remedy,
        refresh="" if declared else refresh_of(mount.target),
    )


def lies_at(path: str, place: str) -> bool:
    """Whether the path is that place or below it."""
    return f"{path}/".startswith(f"{place.rstrip('/')}/")


def without_what_is_hidden(report: Report) -> Report:
    """The report without the files that a mount shows in the place of others: what would be done to
    them would be done to what is mounted."""
    hidden = [found.thing for found in report.findings if found.kind == MOUNT]
    findings = [
        found
        for found in report.findings
        if found.kind == MOUNT or not any(lies_at(found.thing, place) for place in hidden)
    ]
    return report.model_copy(update={"findings": findings})
