"""Code in sites' directories that no release brought."""

import shlex
from collections.abc import Iterator

from stagecraft.drift.findings import Class, Finding, Kind
from stagecraft.drift.looking.server import Declared, ask
from stagecraft.facts.released import NotReleasedFact
from stagecraft.harmless import harmless
from stagecraft.settings import Site

RELEASED = Kind(Class.UNMANAGED, "released file", "as it was released")
STORED = Kind(Class.UNMANAGED, "program in the storage", "data: no release brings code there")

WORDS = {
    "added": "somebody has added it to the release",
    "unlisted": "somebody has added it to the release",
    "changed": "its content is not the release's",
    "missing": "somebody has removed it from the release",
    "by hand": "leads to what `stagecraft` has not released",
    "program": "a program, where the site keeps data",
    "link out": "a link that leads out of the storage",
}


def released(declared: Declared) -> Iterator[Finding]:
    """The placeholder's files and the storage's directories are declared; files of other tools'
    releases are not known."""
    sites = {site.name: site for site in declared.environment.sites}
    found = ask(NotReleasedFact, sites={name: site.home for name, site in sites.items()})
    for name, kind, path in found:
        if path in declared.paths:
            continue
        gone = f"rm -- {shlex.quote(path)}"
        again = f"stagecraft release {declared.environment.name}"
        release = release_of(path, sites[name]) if kind in ("changed", "missing") else ""
        yield (STORED if kind in ("program", "link out") else RELEASED).finding(
            harmless(path),
            environment=sites[name].environment,
            found=WORDS[kind],
            remedy=again if release or kind == "by hand" else gone,
            whole=release and f"of the release {release}",
            whole_remedy=again if release else "",
        )


def release_of(path: str, site: Site) -> str:
    return path.removeprefix(f"{site.home}/releases/").partition("/")[0]
