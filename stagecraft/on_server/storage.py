"""The storage that a release's code sees before it serves: empty."""

import shlex

from stagecraft.on_server import sandbox
from stagecraft.on_server.log import Log
from stagecraft.on_server.site import Failed, Site

VIEWS = "framework/views"
NEEDED = ("app/public", "framework/cache/data", "framework/sessions", VIEWS, "logs")

PATIENCE = "1min"
"""The site could have put there what a program waits at for ever."""

COMPILED = "bootstrap/views"
"""Where a release keeps its compiled views."""


class Storage:
    """What the running site has written there could be meant to be read as code by what has more
    rights than the site."""

    def __init__(self, site: Site, release: str) -> None:
        self.site = site
        self.path = site.home / "shared/storage"
        self.views = self.path / VIEWS / release
        self.empty = [f"TemporaryFileSystem={self.path}:mode=1777,size=256m"]

    @property
    def made(self) -> str:
        """The shell command that makes the directories an app expects."""
        return shlex.join(
            ["mkdir", "-p", str(self.views), *(f"{self.path}/{name}" for name in NEEDED)]
        )

    @property
    def own_views(self) -> str:
        """Each release has a directory of its own for compiled views."""
        return f"Environment=VIEW_COMPILED_PATH={self.views}"

    @property
    def kept_views(self) -> str:
        """The shell command that keeps the views of an empty storage in the release."""
        views = shlex.quote(str(self.views))
        return (
            f'[ -z "$(ls -A {views})" ] || {{ mkdir -p {COMPILED}; cp -R {views}/. {COMPILED}/; }}'
        )

    def take_views(self, log: Log) -> None:
        """Puts the release's compiled views where it looks for them, before visitors come: Laravel
        does not write them atomically. As the site's user, who could have put a link there; without
        them, the first visitors compile them."""
        compiled = self.site.releases / self.views.name / COMPILED
        self._as_site(["sh", "-euc", TAKE, "views", str(compiled), str(self.views)], log)

    def remove_other_views(self, log: Log) -> None:
        """Removes those of releases that are gone."""
        views = str(self.path / VIEWS)
        self._as_site(["sh", "-euc", REMOVE, "remove", views, str(self.site.releases)], log)

    def _as_site(self, words: list[str], log: Log) -> None:
        try:
            properties = [f"ReadWritePaths={self.path}", *sandbox.OWN, f"RuntimeMaxSec={PATIENCE}"]
            sandbox.run(self.site, words, log, properties)
        except Failed as error:
            log.say(f"  {error}")


TAKE = '[ ! -d "$1" ] || { mkdir -p "$2"; cp -R --remove-destination "$1"/. "$2"/; }'

REMOVE = """
cd "$1"
for views in [0-9]*-[0-9]*-*; do
    [ ! -d "$views" ] || [ -d "$2/$views" ] || { chmod -R u+rwX -- "$views"; rm -rf -- "$views"; }
done
"""
