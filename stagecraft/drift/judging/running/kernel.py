"""The kernel that runs, and its settings."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator

from pyinfra.context import host

from stagecraft.drift.findings import Finding, Severity
from stagecraft.drift.judging.running.finding import finding
from stagecraft.drift.looking.areas import Looked
from stagecraft.drift.looking.declared import Declared
from stagecraft.facts.kernel import Kernel, KernelFact

A_DAY = 86400
"""How soon a declared time of day for reboots comes."""


def kernel(declared: Declared) -> Looked:
    found: Kernel = host.get_fact(KernelFact)
    settings = declared.settings.host
    reboots = settings is not None and settings.upgrades.reboot != "never"
    return Looked([*set_by_hand(found), *outdated(found, time.time(), reboots=reboots)])


def set_by_hand(kernel: Kernel) -> Iterator[Finding]:
    """`sysctl -w`, which the next boot forgets."""
    for setting in kernel.settings:
        if number(setting.value) != number(setting.declared):
            yield finding(
                Severity.HIGH,
                ("kernel setting", setting.key),
                expected=f"{setting.declared}, by {setting.path}",
                found=f"is {setting.value} in the running kernel",
                remedy=f"sysctl -w {setting.key}='{setting.declared}'",
            )


def number(value: str) -> str:
    """Files write hexadecimal and tabs, where the kernel says decimal and spaces."""
    words = value.split()
    return " ".join(
        str(int(word, 0)) if re.fullmatch(r"0[xX][0-9a-fA-F]+|[1-9]\d*|0", word) else word
        for word in words
    )


def outdated(kernel: Kernel, now: float, *, reboots: bool) -> Iterator[Finding]:
    """A newer kernel of the same flavour that waits for a reboot, longer than it should where the
    machine reboots by itself."""
    alike = [image for image in kernel.images if flavour(image) == flavour(kernel.running)]
    newest = max(alike, key=by_version, default="")
    if not newest or by_version(newest) <= by_version(kernel.running):
        return
    if reboots and now - kernel.images[newest] < A_DAY:
        return
    yield finding(
        Severity.LOW,
        ("kernel", newest),
        expected="the newest that is installed runs",
        found=f"{kernel.running} runs until the next reboot",
        remedy="reboot",
        since=kernel.images[newest],
    )


def flavour(version: str) -> str:
    """`6.1.0-40-cloud-amd64` → `-cloud-amd64`."""
    return re.sub(r"^[^-]*(-\d+(?=-))?", "", version)


def by_version(version: str) -> list[int]:
    return [int(part) for part in re.findall(r"\d+", version.removesuffix(flavour(version)))]
