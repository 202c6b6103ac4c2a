"""What the program knows about a site."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

SITES = Path("/etc/stagecraft/sites")
"""One JSON file per site, which deploy.py writes."""

STATE = Path("/var/lib/stagecraft/sites")
LOGS = Path("/var/log/stagecraft")


class Failed(Exception):
    """Something that the one who called the program has to know."""


@dataclass(frozen=True)
class Site:
    """A site as declared. `php` is a program's path, `php_fpm` a unit, `migrate` a command or
    empty, and `migrator` the option file with that database account's password. `shared` and
    `assets` are directories of public/, `workers` are units, and `maintenance` is in seconds.
    `derived` matches the variables of .env that a site cannot set. Those with a default are missing
    from what older runs have written.
    """

    name: str
    home: Path
    domain: str
    health: str
    php: str
    php_fpm: str
    build: Sequence[str]
    configure: Sequence[str]
    migrate: str
    migrator: Path
    shared: Sequence[str]
    keep: int
    workers: Sequence[str]
    environment: str = ""
    php_fpm_socket: str = ""
    database_client: str = "mariadb"
    derived: str = ""
    hooks: Mapping[str, Sequence[str]] = field(default_factory=dict)
    assets: Sequence[str] = ()
    maintenance: int = 300

    @classmethod
    def read(cls, name: str) -> Self:
        """Raises Failed for a site that is not declared on this server."""
        known = names()
        if name not in known:
            raise Failed(f"there is no site {name} on this server; there are: {', '.join(known)}")
        path = SITES / f"{name}.json"
        try:
            data = json.loads(path.read_text())
            return cls(
                **data | {"home": Path(data["home"]), "migrator": Path(data["migrator"])},
            )
        except (ValueError, TypeError, KeyError):
            raise Failed(f"{path} is by another version of this program: run deploy.py") from None

    @property
    def releases(self) -> Path:
        return self.home / "releases"

    @property
    def builds(self) -> Path:
        """Root's alone: what is built here is out of reach of whatever runs as the site."""
        return self.home / "builds"

    @property
    def state(self) -> Path:
        return STATE / self.name

    @property
    def logs(self) -> Path:
        return LOGS / self.name

    @property
    def unit(self) -> str:
        """Runs the present action."""
        return f"stagecraft-action-{self.name}.service"


def names() -> list[str]:
    return sorted(path.stem for path in SITES.glob("*.json"))
