"""What the machine itself needs of Debian's packages, whatever runs on it."""

from __future__ import annotations

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
def base() -> None:
    installed(name="Install the machine's packages", packages=PACKAGES)
