"""What was installed for sites, or by steps of overrides/, and is not declared any more: what
serves goes, data stays."""

from __future__ import annotations

from pyinfra import logger
from pyinfra.api.deploy import deploy
from pyinfra.context import host

from stagecraft.operations import certificates, files
from stagecraft.operations.accounts import idle
from stagecraft.operations.database import locked
from stagecraft.operations.nginx import RELOAD
from stagecraft.operations.services import reloaded, stopped
from stagecraft.paths import home
from stagecraft.run import this_run
from stagecraft.services import NGINX, PhpFpm, Reach, Redis
from tasks.nginx import read_by_nginx


@deploy("Removed sites")
def removed_sites() -> None:
    """Comes when nginx asks them nothing any more. What there is of them, their records say."""
    manifest, withdrawn = this_run().manifest, []
    removed = manifest.removed_sites()
    for name in manifest.installed_sites():
        for unit in manifest.left_units(name):
            if unit != Reach(name).unit:
                stopped(name=f"Stop {unit}", unit=unit)
        if name in removed:
            end(name)
        for tree in manifest.left_trees(name):
            files.tree(name=f"Take away {tree} of {name}", tree=tree, site=name, nodes=[])
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
            f"{host.print_prefix}{name} is not declared any more; what stays of it: {home(name)},"
            f" its logs, its Redis data in {Redis(name).data}, and its database until it is"
            " declared with present: false"
        )
    if withdrawn:
        reloaded(
            name="Have nginx let go of their certificates",
            unit=NGINX,
            watched=read_by_nginx(),
            after=withdrawn,
            refresh=RELOAD,
        )


@deploy("Removed steps")
def removed_steps() -> None:
    """Comes when every step of overrides/ has declared its trees."""
    for tree in this_run().manifest.removed_steps():
        files.tree(name=f"Take away {tree}", tree=tree, nodes=[])


def end(name: str) -> None:
    """A worker or a cron job would go on, and without its limits."""
    idle(
        name=f"End what else runs as {name}",
        account=name,
        home=home(name),
        besides=PhpFpm(name).unit,
        limits=Reach(name).unit,
    )
    stopped(name=f"Lift the limits of {name}", unit=Reach(name).unit)
