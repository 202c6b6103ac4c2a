"""The releases of a site: their directories, and what is known about each."""

import json
import subprocess
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from stagecraft.on_server import contents, files
from stagecraft.on_server.site import Failed, Site

UNFINISHED = "unfinished"
GOOD = "good"
BAD = "bad"
WITHDRAWN = "withdrawn"
"""Was good, until a rollback left it: only somebody who names it returns to it."""


@dataclass(frozen=True)
class Release:
    """`state` is one of the above. `at` is in UTC, ISO 8601. A
    release `contracts` if its migrations left a schema that earlier ones do not work with."""

    id: str
    commit: str
    ref: str
    by: str
    at: str
    state: str = UNFINISHED
    contracts: bool = False


class Releases:
    def __init__(self, site: Site) -> None:
        self.site = site
        self._records = site.state / "releases"

    def record(self, release: Release) -> None:
        files.write_json(self._records / f"{release.id}.json", asdict(release))

    def records(self) -> list[Release]:
        """All that ever were, the oldest first."""
        found = []
        for path in sorted(self._records.glob("*.json")):
            with suppress(ValueError, TypeError):  # by another version
                found.append(Release(**json.loads(path.read_text())))
        return found

    def all(self) -> list[Release]:
        """Those whose directory exists, the oldest first."""
        return [release for release in self.records() if self.path(release.id).is_dir()]

    def path(self, release: str) -> Path:
        return self.site.releases / release

    def current(self) -> str:
        """The id, or `placeholder`. Raises Failed if `current` is no link."""
        current = self.site.home / "current"
        if not current.is_symlink():
            raise Failed(f"{current} is not a link to a release: move it away, and run deploy.py")
        return current.readlink().name

    @property
    def running(self) -> str:
        with suppress(Failed):
            return f"{self.site.name} runs {self.current()}"
        return f"{self.site.name} runs no release"

    def recorded(self) -> Release:
        """The current one. Raises Failed for the placeholder, and for one made by hand."""
        for release in self.all():
            if release.id == self.current():
                return release
        raise Failed(f"{self.site.name} runs {self.current()}, which was not released by this")

    def switch(self, release: str) -> None:
        """The link that leads back is made beforehand: later the disk may be full."""
        current, back, target = self.site.home / "current", self._back, f"releases/{release}"
        if back.is_symlink() and str(back.readlink()) == target:
            back.replace(current)
            files.sync(self.site.home)
        else:
            files.link(back, f"releases/{self.current()}")
            files.link(current, target)

    def forget_the_way_back(self) -> None:
        self._back.unlink(missing_ok=True)

    @property
    def _back(self) -> Path:
        return self.site.home / "current.back"

    def previous(self) -> Release:
        """The newest good release before the current one. Raises Failed if there is none."""
        current = self.current()
        for release in reversed(self.all()):
            if release.state == GOOD and release.id < current:
                return self._within_schema(release)
        raise Failed(f"{self.site.name} has no earlier good release than {current}")

    def named(self, name: str) -> Release:
        """By its id, or the beginning of its commit. Raises Failed unless it is a good one."""
        found = [r for r in self.all() if r.id == name or r.commit.startswith(name)]
        found.sort(key=lambda release: release.state in (GOOD, WITHDRAWN))
        if not found:
            raise Failed(
                f"{self.site.name} has no release {name} any more: see `stagecraft releases`"
            )
        if found[-1].id == self.current():
            raise Failed(f"{self.site.name} runs {found[-1].id} already")
        if found[-1].state not in (GOOD, WITHDRAWN):
            raise Failed(f"release {found[-1].id} is {found[-1].state}: it is not returned to")
        return self._within_schema(found[-1])

    def _within_schema(self, target: Release) -> Release:
        """Raises Failed if migrations since then have taken away what it needs."""
        later = [r for r in self.records() if target.id < r.id and r.contracts]
        if later:
            raise Failed(
                f"{target.id} does not work with today's schema: {later[0].id} has contracted it."
                " Release a commit that does, or restore a backup"
            )
        return target

    def mark(self, id: str, state: str) -> None:
        for release in self.records():
            if release.id == id:
                self.record(replace(release, state=state))

    def prune(self, before: str = "") -> list[str]:
        """Removes what does not stay. Returns their ids."""
        gone = self.surplus(before)
        for release in gone:  # renamed first: half of a release is none
            left = self.path(f".{release}.removed")
            self.path(release).rename(left)
            subprocess.run(["rm", "-rf", "--", left], capture_output=True)
            contents.forget(self.site, release)
        return gone

    def surplus(self, before: str, coming: Release | None = None) -> list[str]:
        """What is beyond the number to keep, never the current release (`coming`, once it is) or
        the one that a rollback returns to, nor the one `before` the present action, which may yet
        be undone; and all that is unfinished or bad. Of these, as many as are to be kept stay as
        long as a process works in them."""
        all_of_them = [*self.all(), *([coming] if coming else [])]
        current = coming.id if coming else self.current()
        usable = [r.id for r in all_of_them if r.state in (GOOD, WITHDRAWN)]
        earlier = [r.id for r in all_of_them if r.state == GOOD and r.id < current]
        kept = {current, before, *usable[-self.site.keep :], *earlier[-1:]}
        gone = [release.id for release in all_of_them if release.id not in kept]
        occupied = self._worked_in()
        staying = [release for release in gone if release in occupied][-self.site.keep :]
        return [release for release in gone if release not in staying]

    def _worked_in(self) -> set[str]:
        """The releases in which a worker ends its job, or a task of the scheduler runs."""
        found: set[str] = set()
        for process in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):  # it has ended
                directory = (process / "cwd").readlink()
                if directory.is_relative_to(self.site.releases):
                    found.update(directory.relative_to(self.site.releases).parts[:1])
        return found
