"""Which mounts hide something, and what is told of the rest."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest

from stagecraft.drift.findings import Finding
from stagecraft.drift.judging.running.kernel import mounts
from stagecraft.drift.looking.server import Declared
from stagecraft.facts.kernel import Kernel, KernelFact, Mount

SUDOERS = "/etc/sudoers.d/stagecraft"
DECLARED = cast(
    Declared,
    SimpleNamespace(
        paths=frozenset({SUDOERS, "/var/www/shop", "/var/lib/redis-shop"}),
        environment=SimpleNamespace(name="production"),
    ),
)


Told = Callable[..., list[Finding]]


@pytest.fixture
def told(answers: dict[Any, Any]) -> Told:
    def of(*mounted: Mount) -> list[Finding]:
        answers[KernelFact] = Kernel(mounts=mounted)
        return list(mounts(DECLARED))

    return of


def test_mountinfo_and_fstab_are_read() -> None:
    kernel = KernelFact().process(
        [
            "mount 22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw",
            "mount 90 22 8:1 /root/a\\040b /etc/a\\040b rw shared:1 master:2 - ext4 /dev/sda1 rw",
            "mount 91 22 0:40 / /var/www/shop rw - nfs4 files:/shop rw",
            "fstab # /etc/fstab",
            "fstab files:/shop /var/www/shop nfs4 defaults 0 0",
            "fstab /root/a\\040b\t/etc/a\\040b none bind 0 0",
            "fstab",
        ]
    )
    assert kernel.mounts == (
        Mount("/", "/", "ext4", "/dev/sda1"),
        Mount("/etc/a b", "/root/a b", "ext4", "/dev/sda1"),
        Mount("/var/www/shop", "/", "nfs4", "files:/shop", declared=True),
    )


@pytest.mark.parametrize(
    "mount",
    [
        *map(Mount, ("/", "/boot", "/boot/efi", "/var", "/home", "/var/lib/docker/overlay2/x")),
        *map(
            Mount,
            ("/run/user/0", "/run/credentials/x.service", "/snap/core/1", "/srv", "/etcetera"),
        ),
        Mount("/etc/machine-id", "/machine-id"),
        Mount("/var/www", declared=True),
        Mount("/usr", declared=True),
    ],
    ids=lambda mount: mount.target,
)
def test_what_a_machine_has_is_no_finding(told: Told, mount: Mount) -> None:
    assert told(mount) == []


@pytest.mark.parametrize(
    ("target", "severity"),
    [
        (SUDOERS, "critical"),
        ("/etc/sudoers.d", "critical"),
        ("/etc", "critical"),
        ("/var/www", "critical"),
        ("/var/www/shop/shared", "high"),
        ("/etc/redis/redis.conf", "high"),
        ("/usr/bin/wall", "high"),
    ],
)
def test_what_hides_something_is_found(told: Told, target: str, severity: str) -> None:
    (found,) = told(Mount(target, "/root/other", "ext4", "/dev/sda1"))
    assert (found.kind, found.thing, found.severity) == ("mount", target, severity)
    assert found.remedy.startswith(f"umount {target}")
    run = found.remedy.endswith(", then pyinfra inventories/production.py deploy.py")
    assert run == (severity == "critical")


def test_mounts_over_each_other_are_one(told: Told) -> None:
    (found,) = told(Mount("/usr/bin/wall"), Mount("/usr/bin/wall"))
    assert found.remedy == "umount /usr/bin/wall && umount /usr/bin/wall"
