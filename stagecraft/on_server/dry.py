"""What a release or a rollback would do. Nothing is changed for the answer."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from stagecraft.on_server import preflight, requirements
from stagecraft.on_server.actions import RELEASE, Action, Request
from stagecraft.on_server.log import Log
from stagecraft.on_server.releases import GOOD, Releases
from stagecraft.on_server.site import Failed, Site


@dataclass(frozen=True)
class Plan:
    """`running` and `next` are commits, the first one empty for the placeholder. `problems` are
    what a release would be refused for now."""

    site: str
    release: str
    running: str
    next: str
    steps: Sequence[str]
    problems: Sequence[str]
    removed: Sequence[str]
    notes: Sequence[str]

    def lines(self) -> Iterator[str]:
        yield "Steps:"
        yield from (f"  {line}" for line in self.steps)
        for title, found in (
            ("Refused now:", self.problems),
            ("To be considered:", self.notes),
            ("Removed afterwards:", self.removed),
        ):
            if found:
                yield title
                yield from (f"  {line}" for line in found)


def plan(site: Site, request: Request, size: int, files: Mapping[str, str]) -> Plan:
    """`files` are those that requirements reads, by name."""
    releases = Releases(site)
    current = releases.current()
    running = [release.commit for release in releases.all() if release.id == current]
    new = request.verb == RELEASE
    action = Action(site, replace(request, before=current), Log())
    return Plan(
        site=site.name,
        release=current,
        running="".join(running),
        next=request.release.commit,
        steps=list(described(action)),
        problems=[*preflight.problems(site, size), *requirements.problems(site, files)]
        if new
        else [],
        removed=releases.surplus(current, replace(request.release, state=GOOD)) if new else [],
        notes=requirements.notes(site, files) if new else [],
    )


def described(action: Action) -> Iterator[str]:
    """The steps, and below each one the commands it runs."""
    site = action.site
    commands = {
        "build": action.build_commands,
        "configure": site.configure,
        "migrate": [site.migrate] if site.migrate else [],
        **site.hooks,
    }
    for name, _ in action.steps():
        yield name
        yield from (f"  $ {command}" for command in commands.get(name, []))


MOST = sum(requirements.FILES.values()) * 2


def checked(data: object) -> Mapping[str, str]:
    """The files as they came. Raises Failed if they are of another kind."""
    if not isinstance(data, dict) or not all(
        name in requirements.FILES and isinstance(text, str) for name, text in data.items()
    ):
        raise Failed("--dry reads a JSON object of files from standard input")
    return data
