"""What stands between pyinfra's command line and the settings."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import click
from pyinfra.api.exceptions import NoGroupError
from pyinfra.api.inventory import Inventory
from pyinfra_cli import cli  # type: ignore[import-untyped]
from pyinfra_cli.inventory import make_inventory  # type: ignore[import-untyped]

from stagecraft.connection.levers import levers
from stagecraft.connection.ssh import parsed
from stagecraft.connection.ssh_config import wrong_ssh_config
from stagecraft.errors import CommandLineError
from stagecraft.local_files import wrong_private_key
from stagecraft.secrets import secrets_for
from stagecraft.settings import REPOSITORY, Environment, Server, read
from stagecraft.settings.checks import missing_public_keys
from stagecraft.settings.setting import setting_names
from stagecraft.sources import KeyPath, Problem, SettingsError, read_yaml

_ask = cli._do_confirm

Hosts = list[tuple[str, dict[str, Any]]]

INVENTORIES = "inventories"
"""The directory where they are; all that stands beside it is no inventory."""

BOOTSTRAP = "bootstrap"
"""The verb of first contacts."""

DEPLOY = "deploy"
"""The verb that needs the secrets."""

OF_ENVIRONMENTS = {BOOTSTRAP, DEPLOY}
"""The verbs that run on the server of an environment."""

UNTRANSLATED = {"LC_ALL": "C"}
"""The language in which facts and operations read what a server's programs say: that of its own
locale would be another one on each server."""


def load(environment: str, root: Path = REPOSITORY) -> tuple[Hosts, dict[str, Any]]:
    """pyinfra's (hosts, group data) for an environment, without its secrets.

    Checks all that can be checked before a connection is opened: the settings, that the SSH
    files can be used, and for deploy.py that every secret is there and opens. Raises SettingsError,
    and CommandLineError for a run that would not do what it was told.
    """
    _refuse_without_config()
    settings = read(environment, root)
    _refuse_second_environment(settings)
    data = {
        "environment": settings.model_dump(mode="json"),
        "root": str(root),
        "only_plans": _only_plans(),
        "login": _login(settings.server) | {"ssh_keys": _keys(settings.server)},
    }
    connection = _connection(settings.server, root) | _memory(settings, root)
    _refuse_overrides({*data, *connection})
    wrong = list(_wrong_ssh_files(settings.server, root))
    if wrong:
        raise SettingsError(wrong)
    if DEPLOY in _verbs():
        secrets_for(environment, root)
    said = {key: value for key, value in connection.items() if value is not None}
    return [(_target(settings.server), said)], data


def _refuse_overrides(ours: Collection[str]) -> None:
    """Refuses --data for a name that the inventory sets, which are `ours`: pyinfra would let it
    win, unchecked. And for a setting's name, which it does not set; a team's own verb may."""
    of_others = _verbs() - OF_ENVIRONMENTS
    for name in map(_name_of, _told("data") or ()):
        if name in ours or name.startswith("_"):  # pyinfra's arguments of operations
            raise CommandLineError(
                f"--data {name} would override what the inventory says: omit it. --user, --ssh-port"
                " and --key name another login, --dry asks for a plan"
            )
        if not of_others and (settings := set(name.split(".")) & setting_names()):
            raise CommandLineError(
                f"--data {name} sets nothing: {settings.pop()} is a setting, which a run reads from"
                " group_data/ alone"
            )


def _refuse_without_config() -> None:
    """pyinfra reads config.py from the working directory alone, and does without it elsewhere:
    without our comparison of host keys, and with plans that are empty."""
    if click.get_current_context(silent=True) and cli._do_confirm is not confirm:
        raise CommandLineError(
            "config.py was not read: pyinfra looks for it in the directory where it is started:"
            f" start it in {REPOSITORY}, without --config"
        )


def _refuse_second_environment(settings: Environment) -> None:
    """pyinfra would give the server that two environments share the data of the last one alone."""
    context = click.get_current_context(silent=True)
    loaded: dict[str, str] = context.meta.setdefault(__name__, {}) if context else {}
    server, name = settings.server.name, settings.name
    if (first := loaded.setdefault(server, name)) != name:
        raise CommandLineError(
            f"the inventory names {server} twice, for {first} and for {name}: a run takes one"
            " environment of a server; start it once for each"
        )


def _files() -> list[Path]:
    """What pyinfra was told to run; nothing for exec, fact and the like, which take any words."""
    files = [Path(operation) for operation in _told("operations") or ()]
    return files if all(file.suffix == ".py" for file in files) else []


def _verbs() -> set[str]:
    return {file.stem for file in _files()}


def _target(server: Server) -> str:
    """What pyinfra takes for the server: its name, after that of the connector if it is ours."""
    return f"@stagecraft/{server.name}" if levers() else server.name


def _memory(settings: Environment, root: Path) -> dict[str, str | None]:
    """Where a run of this verb on this server finds the facts that the last one asked for."""
    verb = _verb()
    name = f"{settings.name}-{settings.server.name}-{verb}.json"
    return {"foreseen_facts": str(root / ".stagecraft/foreseen" / name) if verb else None}


def _verb() -> str:
    """The file that pyinfra was told to run, without .py; nothing where that is not one."""
    verbs = _verbs()
    return verbs.pop() if len(verbs) == 1 else ""


def _only_plans() -> bool:
    """Whether pyinfra was told to show what it would do: --dry, or --json without -y. Known here
    alone: pyinfra runs deploy.py where click's context cannot be seen."""
    context = click.get_current_context(silent=True)
    if context is None:
        return True
    arguments = context.params
    return bool(arguments["dry"] or (arguments["json_output"] and not arguments["yes"]))


def _connection(server: Server, root: Path) -> dict[str, Any]:
    """How pyinfra reaches the server; what is None is left to an ssh_config."""
    return {
        **_login(server),
        "ssh_hostname": server.address,
        "ssh_key": server.ssh_key,
        "ssh_config_file": server.ssh_config,
        "ssh_known_hosts_file": _known_hosts(server, root),
        "_sudo": _sudo(_told("ssh_user") or server.ssh_user) or None,
        "_env": UNTRANSLATED,
        "usual_login": _usual_login(server),
        "account_of_bootstrap": _account_of_bootstrap(server),
    }


def _login(server: Server) -> dict[str, Any]:
    """The account and port that every run uses, but for a first contact with --user."""
    said = server.model_fields_set if server.ssh_config else {"ssh_user", "ssh_port"}
    return {
        "ssh_user": server.ssh_user if "ssh_user" in said else None,
        "ssh_port": server.ssh_port if "ssh_port" in said else None,
    }


def _usual_login(server: Server) -> dict[str, Any] | None:
    """How all other runs log in, where this is a first contact: it may have happened before."""
    if not _first_contact():
        return None
    return {**_login(server), "ssh_keys": _keys(server), "_sudo": _sudo(server.ssh_user)}


def _account_of_bootstrap(server: Server) -> str | None:
    """Who logs in, where bootstrap.py makes that account."""
    made = server.host is not None and server.ssh_user != "root"
    return server.ssh_user if made and not _told("ssh_user") else None


def _first_contact() -> bool:
    return _verb() == BOOTSTRAP and bool(_told("ssh_user") or _told("ssh_port"))


def _keys(server: Server) -> list[str]:
    """The private keys with which that account may be tried, the likeliest first; an empty name
    stands for the agent's and the usual ones. At first contact --key may name the provider's."""
    declared, told = server.ssh_key or "", _told("ssh_key")
    if told and not _first_contact():
        return [told]
    return list(dict.fromkeys([declared, told or declared]))


def _sudo(user: str) -> bool:
    """Whether the account needs passwordless sudo: everything that a run does is root's."""
    return user != "root"


def _told(argument: str) -> Any:
    """What an option such as --user told pyinfra to use in place of what is declared."""
    context = click.get_current_context(silent=True)
    return context.params.get(argument) if context else None


def _known_hosts(server: Server, root: Path) -> str | None:
    """Where the server's host key is pinned at first contact: in the project, so that everybody
    compares with the same one. An ssh_config may name another place."""
    if server.host is None:
        return None
    if server.ssh_config and "userknownhostsfile" in parsed(server.ssh_config).lookup(
        server.address
    ):
        return None
    return str(root / "known_hosts")


def _wrong_ssh_files(server: Server, root: Path) -> Iterator[Problem]:
    wrong = {
        "ssh_key": server.ssh_key and wrong_private_key(server.ssh_key),
        "ssh_config": server.ssh_config and wrong_ssh_config(server.ssh_config, server.address),
        "address": None if server.ssh_config else _wrong_usual_ssh_config(server.address),
    }
    hint = ": `make server` boots the server and writes it" if server.throwaway else ""
    found: dict[KeyPath, str] = {
        ("servers", server.name, key): message for key, message in wrong.items() if message
    }
    if server.throwaway and server.host:
        found |= dict(missing_public_keys(server.name, server.host))
    source = read_yaml(root / "group_data/all.yml", root)
    for path, message in found.items():
        yield source.problem(path, f"{message}{hint}")


def _wrong_usual_ssh_config(address: str) -> str | None:
    """The operator's own file, which pyinfra reads where the settings name none."""
    usual = Path(os.path.expanduser("~/.ssh/config"))  # noqa: PTH111
    try:
        usual.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        return f"{usual} cannot be read: {error.strerror}"
    return wrong_ssh_config(usual, address)


def refuse_misread_arguments() -> None:
    """Refuses what pyinfra 3.10 takes for something else, does nothing about, and exits 0.

    An inventory that does not exist (a host name to pyinfra), or none where a verb needs one, a
    second inventory (a deploy file that plans nothing), a --limit or --exclude that matches nothing
    and a plan without change detection, which is always empty. And what ends with a traceback: a
    --key that is none, --data without a value.
    Raises CommandLineError. Does nothing outside pyinfra's command line.
    """
    context = click.get_current_context(silent=True)
    if context is None:
        return
    arguments = context.params
    _refuse_second_inventory()
    _refuse_missing_inventory(arguments["inventory"])
    _refuse_blind_plan(arguments["dry"], arguments["yes"])
    _refuse_wrong_key(arguments["ssh_key"])
    _refuse_misshapen_data(arguments["data"])
    if arguments["limit"] or arguments["exclude"]:
        _refuse_unmatched(arguments)


def confirm(question: str) -> bool:
    """What pyinfra asks, if there is somebody to answer. Raises CommandLineError if not."""
    try:
        answer: bool = _ask(question)
    except (EOFError, RuntimeError):  # RuntimeError: standard input is closed
        raise CommandLineError(
            "nobody is there to confirm, and nothing was changed: -y applies without asking,"
            " --dry only plans"
        ) from None
    return answer


def _refuse_second_inventory() -> None:
    for file in _files():
        if file.parent.name == INVENTORIES:
            raise CommandLineError(
                f"{file} is an inventory, and pyinfra takes one, before all else; start it once for"
                f" each: pyinfra {file} deploy.py"
            )


def _refuse_missing_inventory(inventory: str) -> None:
    path = Path(inventory)
    if path.is_file() and path.suffix == ".py" and path.parent != Path():
        return
    known = ", ".join(sorted(str(path) for path in Path(INVENTORIES).glob("*.py")))
    if path.exists():
        raise CommandLineError(f"{inventory} is no inventory; there are: {known}")
    if any(map(_is_path, inventory.split(","))):
        raise CommandLineError(f"there is no inventory {inventory}; there are: {known}")
    if verbs := _verbs() & OF_ENVIRONMENTS:
        raise CommandLineError(
            f"{verbs.pop()}.py runs on the server of an environment, which {inventory} is not:"
            f" name an inventory in its place; there are: {known}"
        )
    told = dict.fromkeys(map(_name_of, _told("data") or ()))
    listed = "@" in inventory or "," in inventory  # hosts to pyinfra, whatever they are called
    if not listed and not make_inventory(inventory, told, str(Path.cwd())):
        raise CommandLineError(f"there is no host and no inventory {inventory}; there are: {known}")


def _is_path(name: str) -> bool:
    """Whether a name that pyinfra would take for a host's was meant for a file."""
    return not name.startswith("@") and ("/" in name or name.endswith(".py"))


def _refuse_wrong_key(key: str | None) -> None:
    if key and (wrong := wrong_private_key(str(Path(key).expanduser()))):
        raise CommandLineError(f"--key: {wrong}")


def _refuse_misshapen_data(told: Iterable[str]) -> None:
    for assignment in told:
        if "=" not in assignment[1:]:
            message = f"--data {assignment!r} must be a name and a value, like upgrade=true"
            raise CommandLineError(message)


def _name_of(assignment: str) -> str:
    return assignment.partition("=")[0]


def _refuse_blind_plan(dry: bool, yes: bool) -> None:
    if dry and yes:
        raise CommandLineError("--dry with -y shows no change at all: omit -y (or PYINFRA_YES)")


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
