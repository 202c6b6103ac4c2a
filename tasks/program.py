"""The program that lives on the server, and what it knows of each site."""

import json
from pathlib import Path

from pyinfra.api.deploy import deploy

import stagecraft
from stagecraft.operations import files
from stagecraft.operations.files import Checker, Written
from stagecraft.operations.nodes import Directory, File, Node
from stagecraft.operations.releases import configured
from stagecraft.operations.services import running
from stagecraft.packages import php_version
from stagecraft.paths import database_login
from stagecraft.render import file
from stagecraft.run import this_run
from stagecraft.services import MAINTENANCE, NGINX, RECOVERY, PhpFpm, Program, unit_file
from stagecraft.settings import Site
from stagecraft.settings.models import App
from stagecraft.settings.values import DERIVED_VARIABLES
from tasks.workers import of_site

PACKAGE = Path(stagecraft.__path__[0])
MODULES = [PACKAGE / "harmless.py", *sorted(PACKAGE.glob("on_server/*.py"))]

TMPFILES = "/etc/tmpfiles.d/stagecraft.conf"


@deploy("Program")
def program() -> None:
    written = files.tree(
        name=f"Write {Program.path}",
        tree="program",
        nodes=[*nodes(), *slices()],
        check=Checker(
            "stagecraft --help",
            f"{Program.path} --help >/dev/null",
            ("/usr/local/lib", "/usr/local/sbin"),
        ),
    )
    running(
        name="Return from interrupted releases at boot",
        unit=RECOVERY,
        unit_files=[unit_file(RECOVERY), *(node.path for node in slices())],
        after=[written],
    )


def nodes() -> list[Node]:
    package = f"{Program.library}/stagecraft"
    return [
        *(Directory(path) for path in (Program.library, package, f"{package}/on_server")),
        *(File(f"{package}/{path.relative_to(PACKAGE)}", path.read_text()) for path in MODULES),
        file(Program.path, "stagecraft/stagecraft.py.j2", mode="755", library=Program.library),
        file(
            unit_file(RECOVERY),
            "stagecraft/recovery.service.j2",
            program=Program.path,
            nginx=NGINX,
        ),
        Directory("/etc/stagecraft"),
        Directory(Program.sites),
        file(TMPFILES, "systemd/tmpfiles.conf.j2", maintenance=MAINTENANCE),
        Directory(MAINTENANCE, mode="711"),
        Directory(Program.state, mode="700"),
        Directory(Program.logs, mode="750"),
    ]


def slices() -> list[Node]:
    host = this_run().environment.server.host
    accounts = host.ci_accounts.values() if host else ()
    return [file(unit_file(ci.slice), "systemd/ci.slice.j2", ci=ci) for ci in accounts]


@deploy("Releases")
def releases(site: Site, settings: Written) -> None:
    """What the program needs to release the site. `settings` is its .env."""
    if site.app:
        files.tree(
            name=f"Write {Program.sites}/{site.name}.json",
            tree="releases",
            site=site.name,
            nodes=[
                Directory(f"{site.home}/builds", mode="700"),
                File(f"{Program.sites}/{site.name}.json", known(site, site.app)),
            ],
        )
        configured(
            name=f"Build the configuration of {site.name} from .env",
            site=site,
            after=[settings],
        )


def known(site: Site, app: App) -> str:
    return (
        json.dumps(
            {
                "name": site.name,
                "environment": site.environment,
                "home": site.home,
                "domain": site.domain,
                "health": site.health,
                "php": f"/usr/bin/php{php_version(site, this_run().machine)}",
                "php_fpm": PhpFpm(site.name).unit,
                "build": app.build,
                "configure": app.configure,
                "migrate": app.migrate or "",
                "migrator": database_login(site.database.migrator),
                "shared": site.shared,
                "keep": app.keep,
                "workers": of_site(site, app).units,
                "php_fpm_socket": PhpFpm(site.name).socket,
                "database_client": this_run().environment.server.engine.client,
                "derived": "|".join(DERIVED_VARIABLES),
                "hooks": app.hooks,
                "assets": app.assets,
                "maintenance": app.maintenance,
            },
            indent=1,
        )
        + "\n"
    )
