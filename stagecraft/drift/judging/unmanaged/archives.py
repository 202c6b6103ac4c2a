"""Archives that apt has packages from, and the keys and pins that go with them."""

from __future__ import annotations

from collections.abc import Iterator

from pyinfra.context import host

from stagecraft.drift.findings import Finding, Severity
from stagecraft.drift.judging.unmanaged.files import look_for
from stagecraft.drift.judging.unmanaged.findings import unmanaged
from stagecraft.drift.judging.unmanaged.places import APT, APT_KEY, APT_PIN, APT_SOURCE
from stagecraft.drift.looking.areas import Looked
from stagecraft.drift.looking.declared import Declared
from stagecraft.facts.apt_sources import AptSourcesFact, Source, Sources


def archives(declared: Declared) -> Looked:
    if declared.settings.host is None:
        return Looked()
    sources: Sources = host.get_fact(AptSourcesFact)
    foreign = list(undeclared(sources, declared))
    told = {path for source in foreign for path in source.signed_by}
    files = look_for(declared, APT_KEY, APT_PIN)
    findings = [finding(source) for source in foreign]
    findings += [found for found in files.findings if found.thing not in told]
    return Looked(
        findings, declared=len(sources.sources) - len(foreign), total=len(sources.sources)
    )


def undeclared(sources: Sources, declared: Declared) -> Iterator[Source]:
    """What is neither declared nor this Debian's own, as the archive itself says, whose key apt
    has looked at."""
    for source in sources.sources:
        if source.path not in declared.paths and not debians(source, sources, declared):
            yield source


def debians(source: Source, sources: Sources, declared: Declared) -> bool:
    own_suite = source.suite.split("/")[0].startswith(declared.machine.codename)
    own_archive = source.origin == "Debian" or not sources.fetched
    return own_suite and own_archive and not source.trusted


def finding(source: Source) -> Finding:
    unchecked = ", and nobody's signature is asked for" if source.trusted else ""
    return unmanaged(
        Severity.CRITICAL if source.trusted else Severity.HIGH,
        APT_SOURCE,
        source.name,
        found=f"{source.origin or 'an archive not fetched yet'}, in {source.path}{unchecked}",
        remedy=f"editor {source.path}",
        refresh=APT,
    )
