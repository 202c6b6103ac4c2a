"""The app's home: its Unix user, directories, .env, and a placeholder for its first release."""

from __future__ import annotations

from collections.abc import Mapping

from pyinfra.api.deploy import deploy

from stagecraft import dotenv
from stagecraft.operations import files
from stagecraft.operations.accounts import system_account
from stagecraft.operations.nodes import Directory, File, Link, Node
from stagecraft.render import file
from stagecraft.secrets import Secret
from stagecraft.settings import Site

PASS = ("user:www-data:--x",)
"""nginx goes through these directories and sees nothing in them."""

READ = ("user:www-data:r-x", "default:user:www-data:r-x")
"""nginx reads these, and what is made in them later."""


@deploy("App home")
def app(site: Site, secrets: Mapping[str, Secret]) -> None:
    system_account(name=f"Add the user {site.name}", account=site.name, home=site.home)
    files.tree(
        name=f"Write {site.home}",
        tree=f"app-{site.name}",
        nodes=[*home(site), dotenv_file(site, secrets)],
    )
    files.tree(
        name=f"Write {site.home}'s storage and placeholder release",
        tree=f"storage-{site.name}",
        nodes=[*storage(site), *placeholder(site)],
        user=site.name,
    )


def home(site: Site) -> list[Node]:
    """What decides which code runs and with which secrets: root's, so that the running app,
    should it be broken into, cannot change it."""
    return [
        Directory(site.home, "root", site.name, "750", PASS),
        Directory(f"{site.home}/shared", "root", site.name, "750", PASS),
        own(site, f"{site.home}/releases", PASS),
        own(site, f"{site.home}/shared/storage", PASS),
        # A placeholder only where nothing is: the first release of the app replaces it.
        Link(f"{site.home}/current", "releases/placeholder", initial=True),
    ]


def storage(site: Site) -> list[Node]:
    """Laravel's storage, the site's own; nginx may read what is public of it."""
    storage = f"{site.home}/shared/storage"
    return [
        own(site, f"{storage}/app", PASS),
        own(site, f"{storage}/app/public", READ),
        *(
            own(site, f"{storage}/{path}")
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
    """A release like any other."""
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
