"""`stagecraft drift --explain`: why the check accepts a thing, or where it reports it."""

from collections.abc import Iterable, Iterator

from stagecraft.drift.findings import Finding
from stagecraft.drift.judging.unmanaged.files import explained
from stagecraft.drift.looking.server import Declared, ask
from stagecraft.facts.logins import LoginsFact
from stagecraft.facts.unpackaged import UnpackagedFilesFact
from stagecraft.facts.whose import WhoseFact
from stagecraft.run import this_run


def explanations(thing: str, declared: Declared, findings: Iterable[Finding]) -> list[str]:
    """In one line each; the last resort says that nothing is known."""
    reported = [f"reported: {f.id}" for f in findings if thing in (f.thing, f.id)]
    found = [
        *reported,
        *(path(thing, declared) if thing.startswith("/") else name(thing, declared)),
    ]
    return found or [f"nothing here is called {thing}: name a path, an account or a unit"]


def path(thing: str, declared: Declared) -> Iterator[str]:
    if thing in declared.paths:
        yield "declared: a run of deploy.py manages it"
        return
    unpackaged = next((file for file in ask(UnpackagedFilesFact) if file.path == thing), None)
    if unpackaged:
        if reason := explained(unpackaged, declared):
            yield reason
        return
    there = ask(WhoseFact, path=thing)
    if ", of " in there:
        yield f"packaged, as its package has it unless it is reported: {there}"
    elif there and thing.startswith(("/etc/", "/root/.", "/home/")):
        yield f"as packages' scripts leave it, a copy of a packaged file for instance: {there}"
    elif there:
        yield f"data, in which only setuid programs are looked for: {there}"


def name(thing: str, declared: Declared) -> Iterator[str]:
    host = declared.settings.host
    if host and thing in host.accounts:
        yield "declared: an account under host:"
    elif thing in declared.site_names:
        yield "declared: the account of a site"
    elif thing in ask(LoginsFact).accounts:
        yield "an account that lets nobody in"
    if any(service.unit == thing for service in this_run().services):
        yield "declared: a unit of our services"
