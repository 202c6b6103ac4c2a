"""Who releases, as they say: what they log in with, the server knows better."""

import getpass
import socket
from dataclasses import dataclass
from pathlib import Path

import click

from stagecraft.release.source import git


@dataclass(frozen=True)
class Person:
    name: str
    email: str

    def __str__(self) -> str:
        return f"{self.name} <{self.email}>" if self.name else self.email


def person(root: Path) -> Person:
    """As commits in the project name them; without that, the account on this machine."""
    try:
        return Person(git(root, "config", "user.name"), git(root, "config", "user.email"))
    except click.ClickException:
        return Person("", f"{getpass.getuser()}@{socket.gethostname()}")
