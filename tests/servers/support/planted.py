"""Changes that were listed from outside, without knowledge of the check: from MITRE ATT&CK for
Linux, the CIS benchmarks, and reports of incidents."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import yaml
from console import Console

from stagecraft.drift.findings import Finding

LISTS = Path(__file__).parent.parent / "drift"


@dataclass(frozen=True)
class Planted:
    """A change by root and what undoes it, in shell. What says something of `names`, a regular
    expression, is about it."""

    id: str
    change: str
    undo: str
    names: str

    def told_by(self, text: str) -> bool:
        return re.search(self.names, text) is not None


def planted(name: str) -> list[Planted]:
    """Those of the list that are possible on Debian 13."""
    items = yaml.safe_load((LISTS / f"{name}.yml").read_text())
    keys = ("id", "change", "undo", "names")
    return [Planted(*(item[key] for key in keys)) for item in items if 13 in item["debian"]]


def told(finding: Finding) -> str:
    return " ".join([finding.kind, finding.thing, finding.found, finding.expected, finding.remedy])


def run(server: Console, scripts: Iterable[str]) -> list[int]:
    """Each by a shell of its own; their exit codes."""
    encoded = (base64.b64encode(script.encode()).decode() for script in scripts)
    each = (
        f"echo {text} | base64 -d >/run/planted.sh;"
        " timeout 20 sh /run/planted.sh </dev/null >/dev/null 2>&1; echo $?"
        for text in encoded
    )
    return [int(code) for code in server.shell("\n".join(each)).split()]
