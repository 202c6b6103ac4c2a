"""The machine as a whole: its name, time, language, journal, core dumps and swap."""

from pyinfra.api.deploy import deploy
from pyinfra.context import host

from stagecraft.facts.machine import Machine
from stagecraft.facts.system import System, SystemFact
from stagecraft.operations import files, system
from stagecraft.operations.files import Checker
from stagecraft.operations.nodes import Directory, File, Link, Node
from stagecraft.operations.services import RESTART, running
from stagecraft.render import file
from stagecraft.services import JOURNALD, TIMESYNCD
from stagecraft.settings import Host, Server
from stagecraft.sizes import swap_megabytes

JOURNAL = "/etc/systemd/journald.conf.d"
MANAGER = "/etc/systemd/system.conf.d"
COREDUMP = "/etc/systemd/coredump.conf.d"
SWAP_FILE = "/swapfile"
SWAP_UNIT = "/etc/systemd/system/swapfile.swap"


@deploy("Name, time and language")
def identity(server: Server, settings: Host, machine: Machine) -> None:
    system.called(name=f"Set the host name {server.name}", hostname=server.name)
    system.generated_locale(name=f"Generate the locale {settings.locale}", locale=settings.locale)
    files.tree(
        name=f"Set the time zone {settings.timezone} and the locale {settings.locale}",
        tree="locale",
        nodes=locale_files(settings, machine),
        # Debian 13 has legacy names, like US/Pacific, in another package: without it the link would
        # be broken, which means UTC.
        check=Checker(
            "Debian's tzdata", f"ls /usr/share/zoneinfo/{settings.timezone} >/dev/null", ()
        ),
    )
    # systemd's condition skips this in a container, whose host keeps the clock.
    running(name="Synchronize the clock", unit=TIMESYNCD)


def locale_files(settings: Host, machine: Machine) -> list[Node]:
    nodes: list[Node] = [
        Link("/etc/localtime", f"/usr/share/zoneinfo/{settings.timezone}"),
        File("/etc/locale.conf", f"LANG={settings.locale}\n"),
        # PAM reads this path; Debian 13 already has the link.
        Link("/etc/default/locale", "../locale.conf"),
    ]
    if machine.version == "12":
        nodes.append(File("/etc/timezone", f"{settings.timezone}\n"))
    return nodes


@deploy("Journal")
def journal(settings: Host) -> None:
    written = files.tree(
        name=f"Write {JOURNAL}",
        tree="journald",
        nodes=[
            Directory(JOURNAL),
            file(f"{JOURNAL}/stagecraft.conf", "systemd/journald.conf.j2", settings=settings),
        ],
    )
    running(
        name="Run journald",
        unit=JOURNALD,
        watched=[JOURNAL],
        after=[written],
        refresh=RESTART,
    )


@deploy("Core dumps")
def core_dumps() -> None:
    written = files.tree(
        name="Write limits for sessions and services",
        tree="core-dumps",
        nodes=[
            file("/etc/security/limits.d/stagecraft.conf", "limits/core-dumps.conf.j2"),
            file("/etc/profile.d/stagecraft.sh", "limits/core-dumps.sh.j2"),
            Directory(COREDUMP),
            file(f"{COREDUMP}/stagecraft.conf", "systemd/coredump.conf.j2"),
            Directory(MANAGER),
            file(f"{MANAGER}/stagecraft.conf", "systemd/system.conf.j2"),
        ],
    )
    system.no_core_dumps(name="Make systemd read its limits", after=[written])


@deploy("Swap")
def swap(settings: Host, machine: Machine) -> None:
    """Does nothing if there is swap, or in a container, which cannot have any."""
    megabytes = swap_megabytes(settings.swap, machine)
    found: System = host.get_fact(SystemFact)
    if not megabytes or found.container:
        return
    system.swap_file(
        name=f"Create {SWAP_FILE} with {megabytes} MB", path=SWAP_FILE, megabytes=megabytes
    )
    written = files.tree(
        name=f"Write {SWAP_UNIT}",
        tree="swap",
        nodes=[file(SWAP_UNIT, "systemd/swapfile.swap.j2", swap_file=SWAP_FILE)],
    )
    running(name="Use the swap file", unit="swapfile.swap", after=[written])
