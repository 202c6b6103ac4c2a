"""The manifest, by which runs know what earlier ones installed; written first and last."""

from collections.abc import Mapping

from pyinfra.api.deploy import deploy
from pyinfra.context import host

from stagecraft.facts.as_found import AsFoundFact
from stagecraft.facts.manifests import ManifestsFact
from stagecraft.known_records import KnownRecords
from stagecraft.manifest import Manifest
from stagecraft.operations import files
from stagecraft.operations.as_found import known_well, remembered, unfinished
from stagecraft.operations.manifest import recorded
from stagecraft.operations.nodes import Directory
from stagecraft.paths import MANIFESTS
from stagecraft.run import this_run
from stagecraft.version import refuse_newer


@deploy("Manifest")
def begin(owner: str, *, whole: bool = True) -> None:
    """From here on, everything is recorded before it is installed. `owner` is an environment or the
    nightly check. `whole` says whether the run declares everything that belongs to it."""
    records = host.get_fact(ManifestsFact)
    refuse_newer({name: found.version for name, found in records.items()}, host.name)
    this_run().manifest = Manifest(owner, records, whole)
    files.tree(
        name=f"Make {MANIFESTS}",
        tree="manifest",
        nodes=[Directory("/var/lib/stagecraft"), Directory(MANIFESTS, mode="700")],
    )


@deploy("As found")
def as_found(known: KnownRecords) -> bool:
    """Runs before anything is installed. Returns whether `first_contact` has yet to finish it."""
    first = unfinished(host.get_fact(AsFoundFact), known)
    remembered(name="Record what the provider's image contains", known=known)
    return first


@deploy("As found")
def first_contact(known: KnownRecords) -> None:
    known_well(name="Record the provider's accounts, names and network", known=known)


@deploy("Manifest")
def complete(what: str, secrets: Mapping[str, tuple[str, str]] | None = None) -> None:
    """Fails with what failed in this run; if nothing did, records the run, with checksums of the
    sources of its `secrets`."""
    recorded(name=f"Record what {what} consists of", secrets=secrets or {})
