"""The app's home: its Unix user, directories, .env, and a placeholder for its first release."""

from collections.abc import Sequence
from pathlib import Path

from pyinfra.api.deploy import deploy
from pyinfra.api.operation import OperationMeta

from stagecraft import dotenv
from stagecraft.operations import files
from stagecraft.operations.files import Written
from stagecraft.operations.nodes import Directory, File, Link, Node
from stagecraft.operations.releases import root_owns_releases
from stagecraft.operations.system_accounts import system_account
from stagecraft.render import file
from stagecraft.run import Run, this_run
from stagecraft.settings import Site

PASS = ("user:www-data:--x",)
"""nginx may traverse these directories, but not list them."""

READ = ("user:www-data:r-x", "default:user:www-data:r-x")
"""nginx may read these, and what is created in them later."""


@deploy("App home")
def app(site: Site) -> None:
    system_account(name=f"Add the user {site.name}", account=site.name, home=site.home)
    root_owns_releases(name=f"Hand the releases of {site.name} over to root", site=site)
    files.tree(
        name=f"Write {site.home}",
        tree="app",
        site=site.name,
        nodes=[*home(site), *placeholder(site)],
    )
    files.tree(
        name=f"Write {site.home}'s storage",
        tree="storage",
        site=site.name,
        nodes=storage(site),
        user=site.name,
    )


@deploy("App settings")
def app_settings(site: Site, services: Sequence[Written | OperationMeta]) -> Written:
    """Runs after the services that .env refers to. If one of them failed, .env is not changed."""
    return files.tree(
        name=f"Write {site.home}/shared/.env",
        tree="settings",
        site=site.name,
        nodes=[dotenv_file(site, this_run())],
        needs=services,
    )


def home(site: Site) -> list[Node]:
    """Decides which code runs with which secrets. Root owns it, so that a compromised app cannot
    change it."""
    return [
        roots(site, site.home, PASS),
        roots(site, f"{site.home}/shared", PASS),
        roots(site, f"{site.home}/releases", PASS),
        own(site, f"{site.home}/shared/storage", PASS),
        # Only if there is no link yet: the app's first release replaces it.
        Link(f"{site.home}/current", "releases/placeholder", initial=True),
    ]


def storage(site: Site) -> list[Node]:
    """Laravel's storage, owned by the site; nginx may read its public part."""
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
        *shared(site, f"{storage}/public"),
    ]


def shared(site: Site, top: str) -> list[Directory]:
    """Directories of public/ that the app writes to; releases link to them."""
    ways = {str(way) for path in site.shared for way in (Path(path), *Path(path).parents)}
    return [
        own(site, str(Path(top, way)), READ if way in site.shared else PASS) for way in sorted(ways)
    ]


def roots(site: Site, path: str, acl: tuple[str, ...]) -> Directory:
    """The site reads it."""
    return Directory(path, "root", site.name, "750", acl)


def own(site: Site, path: str, acl: tuple[str, ...] = ()) -> Directory:
    """The site writes to it."""
    return Directory(path, site.name, site.name, "750", acl)


def placeholder(site: Site) -> list[Node]:
    """A release like any other."""
    release = f"{site.home}/releases/placeholder"
    return [
        roots(site, release, PASS),
        roots(site, f"{release}/public", READ),
        file(
            f"{release}/public/index.php",
            "app/placeholder.php.j2",
            group=site.name,
            mode="640",
        ),
        Link(f"{release}/.env", "../../shared/.env"),
    ]


def dotenv_file(site: Site, run: Run) -> File:
    engine, secrets = run.environment.server.engine, run.secrets[site.key]
    return file(
        f"{site.home}/shared/.env",
        "app/env.j2",
        group=site.name,
        mode="640",
        secret=True,
        public=dotenv.public(site, engine, secrets),
        variables=dotenv.variables(site, engine, secrets),
    )
