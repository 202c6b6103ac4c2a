"""Which Stagecraft a run is of. Servers note it, so that no older one undoes what it knows nothing
of."""

from __future__ import annotations

import re
from importlib.metadata import version

from stagecraft.errors import ServerError
from stagecraft.facts.manifests import STATE
from stagecraft.manifest import Manifest
from stagecraft.seen import State

KIND = "stagecraft"


def noted_version() -> State:
    ours = version("stagecraft")
    return State(KIND, "version", ours, ours)


def refuse_newer(manifest: Manifest, server: str) -> None:
    """Raises ServerError where a run of a newer version came before, for whichever environment."""
    ours = noted_version()
    for environment, records in manifest.records.items():
        for record in records:
            newer = record.kind == STATE and record.path == ours.name and record.fields[-1]
            if newer and number(newer) > number(ours.declared):
                raise ServerError(
                    f"{server}: Stagecraft {newer} has run here, for {environment}, and this is"
                    f" {ours.declared}: merge that version, then make settings (docs/team.md)"
                )


def number(version: str) -> list[int]:
    return [int(part) for part in re.findall(r"\d+", version)]
