"""What stands between pyinfra's command line and the settings."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, NoReturn

import click
from pyinfra.api.exceptions import NoGroupError
from pyinfra.api.inventory import Inventory
from pyinfra.connectors.sshuserclient.config import SSHConfig
from pyinfra_cli.inventory import make_inventory  # type: ignore[import-untyped]

from stagecraft.connection.levers import levers
from stagecraft.drift import CHECK
from stagecraft.errors import CommandLineError
from stagecraft.secrets import secrets_for
from stagecraft.settings import REPOSITORY, Environment, Server, read
from stagecraft.sources import Problem, SettingsError, read_yaml

Hosts = list[tuple[str, dict[str, Any]]]

BOOTSTRAP = "bootstrap"
"""The verb of first contacts."""


def load(environment: str, root: Path = REPOSITORY) -> tuple[Hosts, dict[str, Any]]:
    """pyinfra's (hosts, group data) for an environment, without its secrets.

    Checks all that can be checked before a connection is opened: the settings, that the SSH
    files are there, that every secret is and opens, but for bootstrap.py and the drift check,
    which need none. Raises SettingsError.
    """
    settings = read(environment, root)
    missing = list(_missing_ssh_files(settings.server, root))
    if missing:
        raise SettingsError(missing)
    if not _drift_is_checked() and _verb() != BOOTSTRAP:
        secrets_for(environment, root)
    data = {
        "environment": settings.model_dump(mode="json"),
        "root": str(root),
        "only_plans": _only_plans(),
        "login": _login(settings.server),
    }
    connection = _connection(settings.server, root) | _memory(settings, root)
    return [(_target(settings.server), connection)], data


def _drift_is_checked() -> bool:
    """Whether pyinfra runs the drift check alone, which opens no secret. Raises CommandLineError
    for one that would not only look."""
    if _verbs() != (str(CHECK),):
        return False
    if not _only_plans():
        raise CommandLineError(f"{CHECK.name} only looks: start it with --dry, or run drift.py")
    return True


def _verbs() -> tuple[str, ...]:
    """What pyinfra was told to run."""
    context = click.get_current_context(silent=True)
    verbs: tuple[str, ...] = context.params["operations"] if context else ()
    return verbs


def _target(server: Server) -> str:
    """What pyinfra takes for the server: its name, after that of the connector if it is ours."""
    return f"@stagecraft/{server.name}" if levers() else server.name


def _memory(settings: Environment, root: Path) -> dict[str, str]:
    """Where a run of this verb on this server finds the facts that the last one asked for."""
    verb = _verb()
    if not verb:
        return {}
    name = f"{settings.name}-{settings.server.name}-{verb}.json"
    return {"foreseen_facts": str(root / ".stagecraft/foreseen" / name)}


def _verb() -> str:
    """What pyinfra was told to run, without .py; nothing where that is not one file."""
    verbs = _verbs()
    return Path(verbs[0]).stem if len(verbs) == 1 and verbs[0].endswith(".py") else ""


def _only_plans() -> bool:
    """Whether pyinfra was told to show what it would do: --dry, or --json without -y. Known here
    alone: pyinfra runs deploy.py where click's context cannot be seen."""
    context = click.get_current_context(silent=True)
    if context is None:
        return True
    arguments = context.params
    return bool(arguments["dry"] or (arguments["json_output"] and not arguments["yes"]))


def _connection(server: Server, root: Path) -> dict[str, Any]:
    """How pyinfra reaches the server; what is not written there is left to an ssh_config."""
    data = {
        **_login(server),
        "ssh_hostname": server.address,
        "ssh_key": server.ssh_key,
        "ssh_config_file": server.ssh_config,
        "ssh_known_hosts_file": _known_hosts(server, root),
        "_sudo": _sudo(_told("ssh_user") or server.ssh_user) or None,
        "usual_login": _usual_login(server),
    }
    return {key: value for key, value in data.items() if value is not None}


def _login(server: Server) -> dict[str, Any]:
    """The account and port that every run uses, but for a first contact with --user."""
    said = server.model_fields_set if server.ssh_config else {"ssh_user", "ssh_port"}
    return {
        "ssh_user": server.ssh_user if "ssh_user" in said else None,
        "ssh_port": server.ssh_port if "ssh_port" in said else None,
    }


def _usual_login(server: Server) -> dict[str, Any] | None:
    """How all other runs log in, where this is a first contact: it may have happened before."""
    if _verb() != BOOTSTRAP or not (_told("ssh_user") or _told("ssh_port")):
        return None
    return {**_login(server), "_sudo": _sudo(server.ssh_user)}


def _sudo(user: str) -> bool:
    """Whether the account needs passwordless sudo: everything that a run does is root's."""
    return user != "root"


def _told(argument: str) -> Any:
    """What pyinfra was told with --user or --ssh-port to use in place of what is declared."""
    context = click.get_current_context(silent=True)
    return context.params.get(argument) if context else None


def _known_hosts(server: Server, root: Path) -> str | None:
    """Where the server's host key is pinned at first contact: in the project, so that everybody
    compares with the same one. An ssh_config may name another place."""
    if server.host is None:
        return None
    if server.ssh_config:
        config = SSHConfig()
        with Path(server.ssh_config).open(encoding="utf-8") as file:
            config.parse(file)  # type: ignore[no-untyped-call]
        if "userknownhostsfile" in config.lookup(server.address):
            return None
    return str(root / "known_hosts")


def _missing_ssh_files(server: Server, root: Path) -> Iterator[Problem]:
    hint = ": `make server` boots the server and writes it" if server.throwaway else ""
    for key in ("ssh_key", "ssh_config"):
        path = getattr(server, key)
        if path and not Path(path).is_file():
            source = read_yaml(root / "group_data/all.yml", root)
            yield source.problem(("servers", server.name, key), f"there is no file {path}{hint}")


def refuse_misread_arguments() -> None:
    """Refuses what pyinfra 3.10 takes for something else, does nothing about, and exits 0.

    An inventory that does not exist (a host name to pyinfra), a --limit or --exclude that
    matches nothing, and a plan without change detection, which is always empty.
    Raises CommandLineError. Does nothing outside pyinfra's command line.
    """
    context = click.get_current_context(silent=True)
    if context is None:
        return
    arguments = context.params
    _refuse_missing_inventory(arguments["inventory"])
    _refuse_blind_plan(arguments["dry"], arguments["yes"])
    if arguments["limit"] or arguments["exclude"]:
        _refuse_unmatched(arguments)


def end_interrupted(*_: object) -> NoReturn:
    """What Ctrl-C does. pyinfra's own handler ends with 0, as a run that went well."""
    click.echo("\nInterrupted: the next run goes on where this one stopped.", err=True)
    sys.exit(130)


def _refuse_missing_inventory(inventory: str) -> None:
    on_purpose = inventory.startswith("@")  # pyinfra's connectors, like @local
    if not on_purpose and not Path(inventory).is_file():
        known = ", ".join(sorted(str(path) for path in Path("inventories").glob("*.py")))
        raise CommandLineError(f"there is no inventory {inventory}; there are: {known}")


def _refuse_blind_plan(dry: bool, yes: bool) -> None:
    if dry and yes:
        raise CommandLineError(
            "--dry with -y shows no change at all: leave -y (or PYINFRA_YES) away"
        )


def _refuse_unmatched(arguments: dict[str, Any]) -> None:
    inventory: Inventory = make_inventory(arguments["inventory"], cwd=str(Path.cwd()))
    names = [host.name for host in inventory]
    for option in ("limit", "exclude"):
        for pattern in _unmatched(inventory, names, arguments[option]):
            known = ", ".join(names)
            raise CommandLineError(f"--{option} {pattern} matches no server; there are: {known}")


def _unmatched(inventory: Inventory, names: list[str], patterns: Iterable[str]) -> Iterator[str]:
    for pattern in patterns:
        try:
            matches = bool(inventory.get_group(pattern))
        except NoGroupError:
            matches = any(fnmatch(name, pattern) for name in names)
        if not matches:
            yield pattern
