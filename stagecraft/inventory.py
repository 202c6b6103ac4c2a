"""Connects pyinfra's command line with the settings."""

import fnmatch
import os
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import click
from pyinfra.api.inventory import Inventory
from pyinfra_cli import cli  # type: ignore[import-untyped]
from pyinfra_cli.inventory import make_inventory  # type: ignore[import-untyped]

from stagecraft.connection.optimizations import optimizations
from stagecraft.connection.ssh import parsed
from stagecraft.connection.ssh_config import wrong_ssh_config
from stagecraft.errors import CommandLineError
from stagecraft.local_files import wrong_private_key
from stagecraft.secrets import secrets_for
from stagecraft.settings import REPOSITORY, Environment, Server, read
from stagecraft.settings.checks import missing_public_keys
from stagecraft.settings.setting import setting_names
from stagecraft.yaml_files import KeyPath, Problem, SettingsError, read_yaml

_ask = cli._do_confirm

Hosts = list[tuple[str, dict[str, Any]]]

INVENTORIES = "inventories"
"""The directory of inventories; files elsewhere are not inventories."""

BOOTSTRAP = "bootstrap"
"""The verb for first contact with a server."""

DEPLOY = "deploy"
"""The verb that needs the secrets."""

OF_ENVIRONMENTS = {BOOTSTRAP, DEPLOY}
"""The verbs that need an environment."""

UNTRANSLATED = {"LC_ALL": "C"}
"""Facts and operations parse the output of programs, which would depend on each server's locale."""


def load(environment: str, root: Path = REPOSITORY) -> tuple[Hosts, dict[str, Any]]:
    """pyinfra's (hosts, group data) for an environment, without its secrets. Before a connection is
    opened, checks the settings, the SSH files, and for deploy.py that every secret exists and can
    be decrypted. Raises SettingsError, and CommandLineError for misleading arguments."""
    _refuse_without_config()
    settings = read(environment, root)
    _refuse_second_environment(settings)
    data = {
        "environment": settings.model_dump(mode="json"),
        "root": str(root),
        "only_plans": _only_plans(),
        "login": login(settings.server) | {"ssh_keys": _keys(settings.server)},
    }
    # Where the facts that the last run of this verb on this server read are recorded.
    facts = root / f".stagecraft/prefetched/{environment}-{settings.server.name}-{_verb()}.json"
    connection = _connection(settings.server, root)
    connection["prefetched_facts"] = str(facts) if _verb() else None
    _refuse_overrides({*data, *connection})
    wrong = list(_wrong_ssh_files(settings.server, root))
    if wrong:
        raise SettingsError(wrong)
    if DEPLOY in _verbs():
        secrets_for(environment, root)
    said = {key: value for key, value in connection.items() if value is not None}
    connector = "@stagecraft/" if optimizations() else ""
    return [(f"{connector}{settings.server.name}", said)], data


def _refuse_overrides(ours: Collection[str]) -> None:
    """Refuses --data for `ours`, the names that the inventory sets: it would override them
    unchecked. Also refuses names of settings, which it does not set, except with a team's verb."""
    of_others = _verbs() - OF_ENVIRONMENTS
    for name in map(_name_of, _option("data") or ()):
        if name in ours or name.startswith("_"):  # pyinfra's arguments of operations
            raise CommandLineError(
                f"--data {name} would override the inventory: omit it. To log in differently,"
                " use --user, --ssh-port and --key; to plan, use --dry"
            )
        if not of_others and (settings := set(name.split(".")) & setting_names()):
            raise CommandLineError(
                f"--data {name} has no effect: {settings.pop()} is a setting, which is read only"
                " from group_data/"
            )


def _refuse_without_config() -> None:
    """pyinfra reads config.py only from the working directory. Without it, host keys would not be
    compared, and plans would be empty."""
    if click.get_current_context(silent=True) and cli._do_confirm is not confirm:
        raise CommandLineError(
            "config.py was not read: pyinfra looks for it only in the directory it is started in."
            f" Start it in {REPOSITORY}, without --config"
        )


def _refuse_second_environment(settings: Environment) -> None:
    """For a server that two environments share, pyinfra would use only the last one's data."""
    context = click.get_current_context(silent=True)
    loaded: dict[str, str] = context.meta.setdefault(__name__, {}) if context else {}
    server, name = settings.server.name, settings.name
    if (first := loaded.setdefault(server, name)) != name:
        raise CommandLineError(
            f"the inventory lists {server} twice, for {first} and for {name}: a run applies only"
            " one environment to a server; run each one separately"
        )


def _files() -> list[Path]:
    """The files that pyinfra was told to run; none for exec, fact and the like."""
    files = [Path(operation) for operation in _option("operations") or ()]
    return files if all(file.suffix == ".py" for file in files) else []


def _verbs() -> set[str]:
    return {file.stem for file in _files()}


def _verb() -> str:
    """The file that pyinfra was told to run, without .py; empty unless it is exactly one."""
    verbs = _verbs()
    return verbs.pop() if len(verbs) == 1 else ""


def _only_plans() -> bool:
    """Whether pyinfra was told only to plan: --dry, or --json without -y. Determined here, because
    deploy.py runs where click's context is not visible."""
    if click.get_current_context(silent=True) is None:
        return True
    return bool(_option("dry") or (_option("json_output") and not _option("yes")))


def _connection(server: Server, root: Path) -> dict[str, Any]:
    """pyinfra's connection data; an ssh_config decides on what is None."""
    return {
        **login(server),
        "ssh_hostname": server.address,
        "ssh_key": server.ssh_key,
        "ssh_config_file": server.ssh_config,
        "ssh_known_hosts_file": known_hosts(server, root),
        "_sudo": _sudo(_option("ssh_user") or server.ssh_user) or None,
        "_env": UNTRANSLATED,
        "usual_login": _usual_login(server),
        "account_of_bootstrap": _account_of_bootstrap(server),
    }


def login(server: Server) -> dict[str, Any]:
    """The account and port of every run, except first contact with --user."""
    said = server.model_fields_set if server.ssh_config else {"ssh_user", "ssh_port"}
    return {
        "ssh_user": server.ssh_user if "ssh_user" in said else None,
        "ssh_port": server.ssh_port if "ssh_port" in said else None,
    }


def _usual_login(server: Server) -> dict[str, Any] | None:
    """For first contact, the login of all other runs: the server may already be bootstrapped."""
    if not _first_contact():
        return None
    return {**login(server), "ssh_keys": _keys(server), "_sudo": _sudo(server.ssh_user)}


def _account_of_bootstrap(server: Server) -> str | None:
    """The account that logs in, if bootstrap.py creates it."""
    made = server.host is not None and server.ssh_user != "root"
    return server.ssh_user if made and not _option("ssh_user") else None


def _first_contact() -> bool:
    return _verb() == BOOTSTRAP and bool(_option("ssh_user") or _option("ssh_port"))


def _keys(server: Server) -> list[str]:
    """The private keys to try for that account, the likeliest first; an empty name stands for the
    agent's and the usual ones. At first contact --key may be the provider's key."""
    declared, told = server.ssh_key or "", _option("ssh_key")
    if told and not _first_contact():
        return [told]
    return list(dict.fromkeys([declared, told or declared]))


def _sudo(user: str) -> bool:
    """Whether the account needs sudo: everything in a run is done as root."""
    return user != "root"


def _option(argument: str) -> Any:
    """The value of one of pyinfra's options, such as --user."""
    context = click.get_current_context(silent=True)
    return context.params.get(argument) if context else None


def known_hosts(server: Server, root: Path) -> str | None:
    """The file in which first contact pins the server's host key: in the project, so that everybody
    compares with the same one, unless an ssh_config names another file."""
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
    hint = ": `make server` boots the server and creates it" if server.throwaway else ""
    found: dict[KeyPath, str] = {
        ("servers", server.name, key): message for key, message in wrong.items() if message
    }
    if server.throwaway and server.host:
        found |= dict(missing_public_keys(server.name, server.host))
    source = read_yaml(root / "group_data/all.yml", root)
    for path, message in found.items():
        yield source.problem(path, f"{message}{hint}")


def _wrong_usual_ssh_config(address: str) -> str | None:
    """The operator's own ssh_config, which pyinfra reads if the settings name none."""
    usual = Path(os.path.expanduser("~/.ssh/config"))  # noqa: PTH111
    try:
        usual.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        return f"{usual} cannot be read: {error.strerror}"
    return wrong_ssh_config(usual, address)


def refuse_misread_arguments() -> None:
    """Refuses arguments that pyinfra 3.10 would misread and then exit with 0.

    These are: an inventory that does not exist (to pyinfra, a host name), none although a verb
    needs one, a second one (to pyinfra, a deploy file without operations), a --limit or --exclude
    that matches nothing, and a plan without change detection, which is always empty. Also refuses
    arguments that end with a traceback: a --key that is not a key, and --data without a value.
    Raises CommandLineError. Does nothing outside pyinfra's command line.
    """
    context = click.get_current_context(silent=True)
    if context is None:
        return
    arguments = context.params
    _refuse_second_inventory()
    _refuse_missing_inventory(arguments["inventory"])
    if arguments["dry"] and arguments["yes"]:
        raise CommandLineError("--dry with -y never shows changes: omit -y (or PYINFRA_YES)")
    key = arguments["ssh_key"]
    if key and (wrong := wrong_private_key(str(Path(key).expanduser()))):
        raise CommandLineError(f"--key: {wrong}")
    for assignment in arguments["data"]:
        if "=" not in assignment[1:]:
            message = f"--data {assignment!r} must be a name and a value, such as upgrade=true"
            raise CommandLineError(message)
    if arguments["limit"] or arguments["exclude"]:
        _refuse_unmatched(arguments)


def confirm(question: str) -> bool:
    """Asks pyinfra's question. Raises CommandLineError without a terminal."""
    try:
        answer: bool = _ask(question)
    except (EOFError, RuntimeError):  # RuntimeError: standard input is closed
        raise CommandLineError(
            "there is no terminal to confirm the changes, so nothing was changed: use -y to apply"
            " without asking, or --dry to plan"
        ) from None
    return answer


def _refuse_second_inventory() -> None:
    for file in _files():
        if file.parent.name == INVENTORIES:
            raise CommandLineError(
                f"{file} is a second inventory, and pyinfra takes only one, as the first argument;"
                f" run it separately: pyinfra {file} deploy.py"
            )


def _refuse_missing_inventory(inventory: str) -> None:
    path = Path(inventory)
    if path.is_file() and path.suffix == ".py" and path.parent != Path():
        return
    known = ", ".join(sorted(str(path) for path in Path(INVENTORIES).glob("*.py")))
    if path.exists():
        raise CommandLineError(f"{inventory} is not an inventory; there are: {known}")
    hosts = (name for name in inventory.split(",") if not name.startswith("@"))
    if any("/" in name or name.endswith(".py") for name in hosts):  # hosts to pyinfra, too
        raise CommandLineError(f"there is no inventory {inventory}; there are: {known}")
    if verbs := _verbs() & OF_ENVIRONMENTS:
        raise CommandLineError(
            f"{verbs.pop()}.py needs an inventory of an environment, which {inventory} is not;"
            f" there are: {known}"
        )
    told = dict.fromkeys(map(_name_of, _option("data") or ()))
    listed = "@" in inventory or "," in inventory  # hosts to pyinfra, whatever they are called
    if not listed and not make_inventory(inventory, told, str(Path.cwd())):
        message = f"{inventory} is neither a host nor an inventory; there are: {known}"
        raise CommandLineError(message)


def _name_of(assignment: str) -> str:
    return assignment.partition("=")[0]


def _refuse_unmatched(arguments: dict[str, Any]) -> None:
    inventory: Inventory = make_inventory(arguments["inventory"], cwd=str(Path.cwd()))
    names = [host.name for host in inventory]
    for option, pattern in ((o, p) for o in ("limit", "exclude") for p in arguments[o]):
        if not inventory.get_group(pattern, default=fnmatch.filter(names, pattern)):
            known = ", ".join(names)
            raise CommandLineError(f"--{option} {pattern} matches no server; there are: {known}")
