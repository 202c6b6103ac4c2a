"""Removes services of sites, and files of steps of overrides/, that are no longer declared. Data
stays."""

from pyinfra import logger
from pyinfra.api.deploy import deploy
from pyinfra.context import host

from stagecraft.operations import certificates, files
from stagecraft.operations.database import locked
from stagecraft.operations.services import RELOAD_NGINX, reloaded, stopped
from stagecraft.operations.system_accounts import idle
from stagecraft.paths import home
from stagecraft.run import this_run
from stagecraft.services import NGINX, PhpFpm, Reach, Redis
from tasks.nginx import read_by_nginx


@deploy("Removed sites")
def removed_sites() -> None:
    """Runs once nginx no longer uses them. The manifest lists what they have."""
    manifest, withdrawn = this_run().manifest, []
    removed = manifest.removed_sites()
    for name in manifest.installed_sites():
        for unit in manifest.left_units(name):
            if unit != Reach(name).unit:
                stopped(name=f"Stop {unit}", unit=unit)
        if name in removed:
            end(name)
        for tree in manifest.left_trees(name):
            files.tree(name=f"Remove {tree} of {name}", tree=tree, site=name, nodes=[])
    for name in removed:
        locked(
            name=f"Lock the database accounts of {name}",
            engine=this_run().environment.server.engine,
            users=manifest.logins_of(name),
        )
        withdrawn.append(
            certificates.withdrawn(name=f"Withdraw the certificate of {name}", site=name)
        )
        logger.info(
            f"{host.print_prefix}{name} is no longer declared. These stay: {home(name)}, its logs,"
            f" its Redis data in {Redis(name).data}, and its database until it is declared with"
            " present: false"
        )
    if withdrawn:
        reloaded(
            name="Reload nginx without their certificates",
            unit=NGINX,
            watched=read_by_nginx(),
            after=withdrawn,
            refresh=RELOAD_NGINX,
        )


@deploy("Removed steps")
def removed_steps() -> None:
    """Runs after every step of overrides/ has declared its trees."""
    for tree in this_run().manifest.removed_steps():
        files.tree(name=f"Remove {tree}", tree=tree, nodes=[])


def end(name: str) -> None:
    """Ends workers and cron jobs, which would otherwise continue without limits."""
    idle(
        name=f"End other processes of {name}",
        account=name,
        home=home(name),
        besides=PhpFpm(name).unit,
        limits=Reach(name).unit,
    )
    stopped(name=f"Lift the limits of {name}", unit=Reach(name).unit)
