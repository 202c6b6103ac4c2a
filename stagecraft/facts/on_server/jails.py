"""Prints the fail2ban settings whose running values differ from the files: jail, setting, declared
and running value, NUL-terminated, as base64. Runs on the server with fail2ban's modules: a server
object that is never started loads the files, and answers the same questions as the running one."""

import logging
import sys
from base64 import b64encode
from collections.abc import Iterator
from time import sleep
from typing import Any

from fail2ban.client.configurator import Configurator
from fail2ban.client.csocket import CSocket
from fail2ban.server.server import Server
from fail2ban.server.transmitter import Transmitter

SETTINGS = [
    *("actions", "maxretry", "findtime", "bantime", "ignoreip", "ignoreself", "ignorecommand"),
    *("usedns", "prefregex", "failregex", "ignoreregex", "maxlines", "datepattern"),
    *("journalmatch", "logpath"),
]

COUNTED = "banEpoch"
"""Settings that an action changes at runtime."""

PATIENCE = 20
"""The tenths of a second that a starting server takes to open its socket and have jails."""


def ask_files(command: list[str]) -> Any:
    return files.proceed(command)[1]


def ask_server(command: list[str]) -> Any:
    return CSocket("/run/fail2ban/fail2ban.sock").send(command)[1]


def declared_jails() -> set[str]:
    """The jails in the files."""
    configurator = Configurator()
    configurator.setBaseDir("/etc/fail2ban")
    configurator.readAll()
    configurator.getOptions()
    configurator.convertToProtocol()
    jails: set[str] = set()
    for command in configurator.getConfigStream():
        if command[0] == "add":
            jails.add(command[1])
        if command[0] != "start" and command[1] in jails:
            files.proceed(command)
    return jails


def running_jails() -> set[str]:
    for left in reversed(range(PATIENCE)):
        try:
            if listed := dict(ask_server(["status"]))["Jail list"]:
                return {*listed.split(", ")}
        except OSError:
            if not left:
                raise
        sleep(0.1)
    return set()


def differences(jail: str) -> Iterator[tuple[object, ...]]:
    questions = [[setting] for setting in SETTINGS]
    actions = [{*ask(["get", jail, "actions"])} for ask in (ask_files, ask_server)]
    for action in set.intersection(*actions):
        names = ask_files(["get", jail, "actionproperties", action])
        questions += [["action", action, name] for name in names if name != COUNTED]
    for question in questions:
        said, runs = (str(ask(["get", jail, *question])) for ask in (ask_files, ask_server))
        if said != runs:
            yield jail, " ".join(question), said, runs


logging.disable(logging.CRITICAL)
files = Transmitter(Server(daemon=False))
declared, running = declared_jails(), running_jails()
rows: list[tuple[object, ...]] = [
    (jail, "jail", jail in declared, jail in running) for jail in declared ^ running
]
for jail in declared & running:
    rows += differences(jail)
sys.stdout.write(b64encode("".join(f"{word}\0" for row in rows for word in row).encode()).decode())
