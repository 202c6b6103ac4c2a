"""Prints what fail2ban runs with otherwise than its files say: jail, setting, and its value by the
files and in the running server, a NUL after each, as base64. Runs on the server with fail2ban's
modules: a server that is never started takes up the files, and both answer the same questions."""

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
"""What an action changes while it runs."""

PATIENCE = 20
"""Tenths of a second in which a server that has just started opens its socket and has jails."""


def ask_files(command: list[str]) -> Any:
    return files.proceed(command)[1]


def ask_server(command: list[str]) -> Any:
    return CSocket("/run/fail2ban/fail2ban.sock").send(command)[1]


def declared_jails() -> set[str]:
    """Those of the files, which `files` takes up."""
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
