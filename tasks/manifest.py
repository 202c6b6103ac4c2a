"""What runs remember of each other: the manifest, written before and after all else."""

from __future__ import annotations

from collections.abc import Mapping

from pyinfra.api.deploy import deploy
from pyinfra.context import host

from stagecraft.known_records import KnownRecords
from stagecraft.manifest import open_manifest
from stagecraft.operations import files
from stagecraft.operations.as_found import remembered
from stagecraft.operations.manifest import noted, recorded
from stagecraft.operations.nodes import Directory
from stagecraft.paths import MANIFESTS
from stagecraft.version import refuse_newer


@deploy("Manifest")
def begin(owner: str) -> None:
    """Everything that is installed from here on is recorded before it is made; `owner` is an
    environment, or the nightly check."""
    refuse_newer(open_manifest(owner), host.name)
    files.tree(
        name=f"Make {MANIFESTS}",
        tree="manifest",
        nodes=[Directory("/var/lib/stagecraft"), Directory(MANIFESTS, mode="700")],
    )


@deploy("As found")
def as_found(known: KnownRecords) -> None:
    """Comes before anything is installed."""
    remembered(name="Remember what the provider's image brings", known=known)


@deploy("Manifest")
def note() -> None:
    """Ends a run that declares the machine alone, so that the drift check knows it as ours until
    deploy.py completes the manifest."""
    noted(name="Record what the machine consists of")


@deploy("Manifest")
def complete(owner: str, secrets: Mapping[str, tuple[str, str]]) -> None:
    """Ends a run in which something failed with what that was, and records any other, with sums of
    what its `secrets` are made of."""
    recorded(name=f"Record what {owner} consists of", secrets=secrets)
