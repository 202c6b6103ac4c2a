"""What all findings of this class have in common."""

from __future__ import annotations

from functools import partial

from stagecraft.drift.findings import Class, as_finding
from stagecraft.drift.looking.declared import Declared

finding = partial(as_finding, Class.RUNNING)


def environment_of(unit: str, declared: Declared) -> str:
    """The environment whose site the unit is an instance for; empty where it serves all."""
    instance = unit.partition("@")[2].rpartition(".")[0]
    return next((site.environment for site in declared.sites if site.name == instance), "")
