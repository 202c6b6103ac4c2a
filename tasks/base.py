"""What the machine itself needs of Debian's packages, whatever runs on it."""

from __future__ import annotations

from collections.abc import Sequence

from pyinfra.api.deploy import deploy

from stagecraft.operations.packages import installed
from stagecraft.packages import OF_THE_MACHINE


@deploy("Base packages")
def base(users: Sequence[str]) -> None:
    """`users` are those of what is installed on the server already."""
    installed(name="Install the machine's packages", packages=OF_THE_MACHINE, users=users)
