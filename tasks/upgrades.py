"""Automatic security upgrades, and restarts of the services that they affect."""

from pyinfra.api.deploy import deploy

from stagecraft.operations import files
from stagecraft.operations.files import Checker
from stagecraft.operations.services import running
from stagecraft.render import file
from stagecraft.services import UPGRADES
from stagecraft.settings.host import Upgrades

APT = "/etc/apt/apt.conf.d/52stagecraft"
NEEDRESTART = "/etc/needrestart/conf.d/stagecraft.conf"


@deploy("Upgrades")
def upgrades(settings: Upgrades) -> None:
    files.tree(
        name=f"Write {APT} and {NEEDRESTART}",
        tree="upgrades",
        nodes=[
            file(APT, "upgrades/apt.conf.j2", reboot=settings.reboot),
            file(NEEDRESTART, "needrestart/stagecraft.conf.j2"),
        ],
        check=Checker(
            "apt-config or perl -c",
            f"apt-config dump >/dev/null && perl -c {NEEDRESTART}",
            ("/etc/apt/apt.conf.d", "/etc/needrestart/conf.d"),
        ),
    )
    for timer in UPGRADES:
        running(name=f"Run {timer}", unit=timer)
