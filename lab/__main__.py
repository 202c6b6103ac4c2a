"""python -m lab: throwaway Debian servers by hand."""

import argparse
import logging
import os
import subprocess
import sys
from pathlib import Path

from lab.commands import NspawnError
from lab.images import SUITES
from lab.lab import Lab
from stagecraft.program import run

PROGRAM = "python3 -m lab"


def main() -> int:
    arguments = _arguments()
    _show_progress()
    try:
        arguments.verb(Lab(arguments.directory), arguments)
    except NspawnError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 1
    return 0


def up(lab: Lab, arguments: argparse.Namespace) -> None:
    """Boot a server, unless it runs already."""
    server = lab.boot(arguments.name, arguments.suite, sudo_account=arguments.sudo_account)
    config = os.path.relpath(lab.ssh_config)
    print(f"{server.name} is up: ssh -F {config} {server.name}")


def ssh(lab: Lab, arguments: argparse.Namespace) -> None:
    """Log in to a server, or run a command on it."""
    server = lab.server(arguments.name)
    if not server.runs:
        raise NspawnError(f"{server.name} does not run: start it with `{PROGRAM} up {server.name}`")
    sys.exit(subprocess.call([*server.ssh_command(), *arguments.command]))


def down(lab: Lab, arguments: argparse.Namespace) -> None:
    """Remove servers and whatever killed runs left of them."""
    if arguments.all == bool(arguments.names):
        raise NspawnError("name the servers to remove, or say --all")
    lab.down(*arguments.names)


def list_servers(lab: Lab, _: argparse.Namespace) -> None:
    """List the servers of this directory."""
    for server in lab.servers():
        state = f"{server.suite} at {server.address}" if server.runs else "left over, not running"
        print(f"{server.name}: {state}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog=PROGRAM, description="Throwaway Debian servers.")
    parser.add_argument(
        "--directory",
        type=Path,
        default=Path(".stagecraft"),
        help="where the servers live (default: %(default)s)",
    )
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    of = {}
    for name, verb in {"up": up, "ssh": ssh, "down": down, "list": list_servers}.items():
        of[name] = verbs.add_parser(name, help=verb.__doc__)
        of[name].set_defaults(verb=verb)
    of["up"].add_argument("name")
    of["up"].add_argument("--suite", choices=SUITES, default=SUITES[0])
    of["up"].add_argument("--sudo-account", action="store_true", help="`debian` with sudo, no root")
    of["ssh"].add_argument("name")
    of["ssh"].add_argument("command", nargs=argparse.REMAINDER)
    of["down"].add_argument("names", nargs="*", metavar="name")
    of["down"].add_argument("--all", action="store_true")
    return parser.parse_args()


def _show_progress() -> None:
    """Prints each step as it begins, after the seconds since the program began."""
    grey, plain = ("\033[90m", "\033[0m") if sys.stderr.isatty() else ("", "")

    class WithSeconds(logging.Formatter):
        def format(self, record: logging.LogRecord) -> str:
            return f"{grey}{record.relativeCreated / 1000:5.1f} s{plain}  {record.getMessage()}"

    handler = logging.StreamHandler()
    handler.setFormatter(WithSeconds())
    logging.basicConfig(level=logging.INFO, handlers=[handler])


if __name__ == "__main__":
    run(main)
