"""What runs remember of each other: the manifest, written before and after all else."""

from __future__ import annotations

from pyinfra.api.deploy import deploy

from stagecraft.manifest import open_manifest
from stagecraft.operations import files
from stagecraft.operations.manifest import recorded
from stagecraft.operations.nodes import Directory
from stagecraft.paths import MANIFESTS
from stagecraft.settings import Environment


@deploy("Manifest")
def begin(environment: Environment) -> None:
    """Everything that is installed from here on is recorded before it is made."""
    open_manifest(environment.name)
    files.tree(
        name=f"Make {MANIFESTS}",
        tree="manifest",
        nodes=[Directory("/var/lib/stagecraft"), Directory(MANIFESTS, mode="700")],
    )


@deploy("Manifest")
def complete(environment: Environment) -> None:
    """Ends a run in which something failed with what that was, and records any other."""
    recorded(name=f"Record what {environment.name} consists of")
