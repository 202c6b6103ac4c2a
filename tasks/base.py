"""Debian packages that every machine needs."""

from __future__ import annotations

from collections.abc import Sequence

from pyinfra.api.deploy import deploy

from stagecraft.operations.packages import installed

PACKAGES = [
    "acl",
    "ca-certificates",
    "fail2ban",
    "locales",
    "logrotate",
    "needrestart",
    "nftables",
    "openssh-server",
    "procps",
    "python3-systemd",  # fail2ban reads the journal with it
    "sudo",
    "systemd-timesyncd",
    "tzdata",
    "unattended-upgrades",
]


@deploy("Base packages")
def base(users: Sequence[str]) -> None:
    """`users` are who uses the packages that are already installed."""
    installed(name="Install the machine's packages", packages=PACKAGES, users=users)
