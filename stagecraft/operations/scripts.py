"""The shell scripts that operations run on a server."""

import shlex
from collections.abc import Sequence
from pathlib import Path

from pyinfra.api.command import StringCommand


def script(name: str) -> str:
    """The text of `<name>.sh` next to this module."""
    return Path(__file__).with_name(f"{name}.sh").read_text("utf-8")


def run_script(
    text: str, *arguments: str, stdin: str = "", becoming: Sequence[str] = ()
) -> StringCommand:
    """The command that runs a script; `becoming` is a prefix that runs it as another user."""
    words = map(shlex.quote, (text, "stagecraft", *arguments))
    return StringCommand(*becoming, "sh", "-c", *words, _stdin=stdin)
