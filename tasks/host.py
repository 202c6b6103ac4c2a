"""The machine itself: bootstrap.py sets it up and deploy.py maintains it, both with these steps."""

from stagecraft.run import this_run
from tasks.access import access
from tasks.accounts import accounts, removed_accounts
from tasks.fail2ban import fail2ban
from tasks.kernel import kernel
from tasks.sshd import host_keys, unix_sockets
from tasks.system import core_dumps, identity, journal, swap
from tasks.upgrades import upgrades


def host() -> None:
    """Does nothing on a machine without `host`."""
    machine, server = this_run().machine, this_run().environment.server
    settings = server.host
    if settings is None:
        return
    accounts(settings)
    host_keys(machine)
    access(server, settings, machine)
    unix_sockets()
    removed_accounts(settings)
    fail2ban(server.ssh_port)
    upgrades(settings.upgrades)
    identity(server, settings, machine)
    journal(settings)
    kernel()
    core_dumps()
    swap(settings, machine)
