"""The running kernel, its settings, and mounts that hide declared or packaged files."""

import re
import shlex
import time
from collections.abc import Iterator

from stagecraft.drift.findings import MOUNT, THEN, Class, Finding, Kind, Severity
from stagecraft.drift.judging.remedies import run
from stagecraft.drift.judging.unmanaged.locations import refresh_of
from stagecraft.drift.judging.wearing import DAY
from stagecraft.drift.looking.server import Declared, ask
from stagecraft.facts.kernel import KernelFact

SETTING = Kind(Class.RUNNING, "kernel setting")
KERNEL = Kind(Class.RUNNING, "kernel", "the newest installed kernel runs", Severity.LOW)

WITHOUT_VOLUMES = ("/etc", "/usr")
"""There is no reason to mount anything in these."""

TRANSIENT = (
    *("/proc", "/sys", "/dev", "/run", "/boot", "/mnt", "/media", "/snap", "/var/snap"),
    *("/var/lib/docker", "/var/lib/containerd", "/var/lib/lxc", "/var/lib/lxd", "/var/tmp"),  # noqa: S108
)
"""Where the kernel, systemd, people, snaps and containers mount what they need."""

PROCESS = r"/proc/\d+"
"""What is mounted over it hides a process."""

BY_SYSTEMD = frozenset({"/etc/machine-id"})
"""For machines that boot with a read-only /."""


def kernel(declared: Declared) -> Iterator[Finding]:
    """Settings by `sysctl -w`, which the next boot discards, and a newer kernel of the same flavour
    that waits for a reboot; on machines that reboot by themselves, only if it waits too long."""
    kernel, settings = ask(KernelFact), declared.settings.host
    for setting in kernel.settings:
        if number(setting.value) != number(setting.declared):
            yield SETTING.finding(
                setting.key,
                expected=f"{setting.declared}, by {setting.path}",
                found=f"is {setting.value} in the running kernel",
                remedy=f"sysctl -w {setting.key}='{setting.declared}'",
            )
    alike = [image for image in kernel.images if flavour(image) == flavour(kernel.running)]
    newest = max(alike, key=by_version, default=kernel.running)
    since = kernel.images.get(newest, 0)
    reboots = settings is not None and settings.upgrades.reboot != "never"
    in_time = reboots and time.time() - since < DAY
    if by_version(newest) > by_version(kernel.running) and not in_time:
        yield KERNEL.finding(
            newest,
            found=f"{kernel.running} runs until the next reboot",
            remedy="reboot",
            since=since,
        )


def number(value: str) -> str:
    """Normalizes the hexadecimal numbers and tabs of files to the kernel's decimals and spaces."""
    return " ".join(
        str(int(word, 0)) if re.fullmatch(r"0[xX][0-9a-fA-F]+|[1-9]\d*|0", word) else word
        for word in value.split()
    )


def flavour(version: str) -> str:
    """`6.1.0-40-cloud-amd64` → `-cloud-amd64`."""
    return re.sub(r"^[^-]*(-\d+(?=-))?", "", version)


def by_version(version: str) -> list[int]:
    return [int(part) for part in re.findall(r"\d+", version.removesuffix(flavour(version)))]


def mounts(declared: Declared) -> Iterator[Finding]:
    """Excludes the mount points of the machine's own disks, such as /boot, /var or /home."""
    mounted = ask(KernelFact).mounts
    targets = [mount.target for mount in mounted]
    for target, mount in {mount.target: mount for mount in mounted}.items():
        hides = any(lies_at(path, target) for path in declared.paths)
        inside = any(lies_at(target, path) for path in (*WITHOUT_VOLUMES, *declared.paths))
        own = target.count("/") == 1 or any(lies_at(target, place) for place in TRANSIENT)
        suspicious = inside or not own or re.fullmatch(PROCESS, target)
        if mount.declared or target in BY_SYSTEMD or not suspicious:
            continue
        quoted = shlex.quote(target)
        remedy = " && ".join([f"umount {quoted}"] * targets.count(target))
        if hides:
            # Processes that load these files may run what was mounted. A new ctime marks the files
            # as changed, so that a run makes services load them again.
            remedy += f" && find {quoted} -xdev -exec touch -ha {{}} +"
            remedy += f"{THEN}{run(declared.environment.name)}"
        yield MOUNT.finding(
            target,
            severity=Severity.CRITICAL if hides else Severity.HIGH,
            found=f"{mount.root} of {mount.source} ({mount.type}) hides the files there",
            remedy=remedy,
            refresh="" if hides else refresh_of(target),
        )


def lies_at(path: str, place: str) -> bool:
    """Whether the path is the place or below it."""
    return f"{path}/".startswith(f"{place.rstrip('/')}/")
