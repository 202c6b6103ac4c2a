"""Keeps unit tests from what a team writes into its checkout: they bring settings of their own.
Every Python that has this directory in its PYTHONPATH loads it at its start, and so do the programs
that a test starts."""

import os
import sys
from pathlib import Path

DIRECTORY = Path(__file__).resolve().parent
TEAM_S = ("group_data", "inventories", "keys", "known_hosts", "known_records", "secrets")
OWN = tuple(str(DIRECTORY.parents[2] / name) + "/" for name in (*TEAM_S, "waivers.yml"))


def refuse(event, arguments):
    if event not in ("open", "os.listdir", "os.scandir") or isinstance(arguments[0], int | None):
        return
    if str(DIRECTORY) not in os.environ.get("PYTHONPATH", ""):
        return
    path = Path(os.fsdecode(arguments[0]))
    if event == "open" and arguments[1] is None and len(path.parts) == 1:
        return  # a name in a directory that is open already, as shutil.rmtree has it
    for name in (path.absolute(), path.resolve()):
        if f"{name}/".startswith(OWN):
            raise AssertionError(f"a unit test reads {name}, which is the team's own")


sys.addaudithook(refuse)
