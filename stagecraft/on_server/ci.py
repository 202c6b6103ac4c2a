"""What CI may do with the keys of an environment: four verbs, for sites of that environment.

sshd starts `stagecraft ci ENVIRONMENT`, whatever a client asks for. What that is, is in a variable.
"""

import argparse
import os
import shlex

from stagecraft.on_server.site import Failed, Site, names
from stagecraft.on_server.unit import PROGRAM

ASKED = "SSH_ORIGINAL_COMMAND"

VERBS = ("release", "rollback", "releases", "follow")

LONGEST = 2000
"""Characters of a command: a commit, a branch, a person, and a few options."""

LARGEST = 2 * 10**9
"""Bytes of an archive."""


def asked(environment: str, parser: argparse.ArgumentParser) -> argparse.Namespace:
    """What the client asks for, as the parser understands it. Raises Failed unless CI may."""
    words = words_of(os.environ.get(ASKED, ""))
    if words[:1] not in ([verb] for verb in VERBS):
        raise Failed(f"CI of {environment} can only {', '.join(VERBS)}; it has no shell")
    arguments = parser.parse_args(words)
    if arguments.site not in names() or Site.read(arguments.site).environment != environment:
        raise Failed(f"CI of {environment} has no site {arguments.site}")
    if getattr(arguments, "size", 0) > LARGEST:
        raise Failed(f"CI can upload {LARGEST} bytes, not {arguments.size}")
    arguments.logged = True  # for more people to read than may release
    if hasattr(arguments, "by"):
        arguments.by = f"CI of {environment}, for {arguments.by}"
    return arguments


def words_of(command: str) -> list[str]:
    """The words of a command as the operator's side sends it, after the program's path; none of
    any other command."""
    if len(command) > LONGEST or not command.isprintable():
        raise Failed(f"CI's commands are at most {LONGEST} printable characters")
    try:
        sudo, option, program, *words = shlex.split(command)
    except ValueError:  # it is too short, or a quotation has no end
        return []
    return words if (sudo, option, program) == ("sudo", "-n", PROGRAM) else []
