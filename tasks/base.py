"""Debian packages that every machine needs."""

from __future__ import annotations

from collections.abc import Sequence

from pyinfra.api.deploy import deploy

from stagecraft.operations.packages import installed
from stagecraft.packages import MACHINE_PACKAGES


@deploy("Base packages")
def base(users: Sequence[str]) -> None:
    """`users` are who uses the packages that are already installed."""
    installed(name="Install the machine's packages", packages=MACHINE_PACKAGES, users=users)
