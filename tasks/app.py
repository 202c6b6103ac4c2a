"""The app's home: its Unix user, directories, .env, and a placeholder for its first release."""

from __future__ import annotations

from collections.abc import Mapping

from pyinfra.api.deploy import deploy
from pyinfra.operations import server

from stagecraft import dotenv
from stagecraft.operations import files
from stagecraft.operations.files import Directory, File, Link, Node
from stagecraft.render import file
from stagecraft.secrets import Secret
from stagecraft.settings import Site

PASS = ("user:www-data:--x",)
"""nginx goes through these directories and sees nothing in them."""

READ = ("user:www-data:r-x", "default:user:www-data:r-x")
"""nginx reads these, and what is made in them later."""


@deploy("App home")
def app(site: Site, secrets: Mapping[str, Secret]) -> None:
    server.group(name=f"Add the group {site.name}", group=site.name, system=True)
    server.user(
        name=f"Add the user {site.name}",
        user=site.name,
        group=site.name,
        home=site.home,
        shell="/usr/sbin/nologin",
        system=True,
        ensure_home=False,
        create_home=False,
    )
    files.tree(
        name=f"Write {site.home}",
        tree=f"app-{site.name}",
        nodes=[*home(site), *placeholder(site), dotenv_file(site, secrets)],
    )


def home(site: Site) -> list[Node]:
    """Directories of the site's own; beneath them nginx may read only what is public."""
    shared = f"{site.home}/shared"
    return [
        *(own(site, path, PASS) for path in (site.home, f"{site.home}/releases", shared)),
        *(own(site, f"{shared}/{path}", PASS) for path in ("storage", "storage/app")),
        own(site, f"{shared}/storage/app/public", READ),
        *(
            own(site, f"{shared}/storage/{path}")
            for path in (
                "framework",
                "framework/cache",
                "framework/cache/data",
                "framework/sessions",
                "framework/views",
                "logs",
            )
        ),
    ]


def own(site: Site, path: str, acl: tuple[str, ...] = ()) -> Directory:
    return Directory(path, site.name, site.name, "750", acl)


def placeholder(site: Site) -> list[Node]:
    """A release like any other, made `current` only where nothing is yet."""
    release = f"{site.home}/releases/placeholder"
    return [
        own(site, release, PASS),
        own(site, f"{release}/public", READ),
        file(
            f"{release}/public/index.php",
            "app/placeholder.php.j2",
            user=site.name,
            group=site.name,
            mode="640",
        ),
        Link(f"{release}/.env", "../../shared/.env"),
        Link(f"{site.home}/current", "releases/placeholder", initial=True),
    ]


def dotenv_file(site: Site, secrets: Mapping[str, Secret]) -> File:
    return file(
        f"{site.home}/shared/.env",
        "app/env.j2",
        group=site.name,
        mode="640",
        secret=True,
        variables=dotenv.variables(site, secrets),
    )
