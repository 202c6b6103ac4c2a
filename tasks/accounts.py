"""Accounts of the admins, `deploy` for automation, and those of environments' CI. All may use sudo,
CI for one command, and have no password."""

from collections.abc import Iterable

from pyinfra.api.deploy import deploy
from pyinfra.context import host

from stagecraft.errors import ServerError
from stagecraft.facts.accounts import Accounts, AccountsFact
from stagecraft.operations import admins, files
from stagecraft.operations.files import Checker
from stagecraft.operations.nodes import Directory, Node
from stagecraft.operations.system_accounts import system_account
from stagecraft.render import file
from stagecraft.services import Ci
from stagecraft.settings import Host
from stagecraft.settings.host import GROUP

SUDOERS = "/etc/sudoers.d/stagecraft"
LIMITS = "/etc/security/limits.d/stagecraft-ci.conf"


@deploy("Accounts")
def accounts(settings: Host) -> None:
    """Adds the declared accounts. Others are removed only after a login was proven to work."""
    refuse_services(settings)
    files.tree(
        name=f"Write {SUDOERS}",
        tree="sudo",
        nodes=sudo(settings),
        check=Checker("visudo --check", "visudo --check --quiet", ("/etc/sudoers.d",)),
    )
    found: Accounts = host.get_fact(AccountsFact, group=GROUP)
    for name in settings.accounts:
        foreign = name in found.by_name and name not in (found.members or ())
        admins.present(
            name=f"Let the existing account {name} become root"
            if foreign
            else f"Add the account {name}",
            account=name,
            group=GROUP,
        )
    for ci in settings.ci_accounts.values():
        system_account(
            name=f"Add the account {ci.user}, which may run {ci.program}",
            account=ci.user,
            home=Ci.home,
            login_shell="/bin/sh",  # which runs the one command of its keys
        )


def sudo(settings: Host) -> list[Node]:
    accounts = settings.ci_accounts.values()
    return [
        file(SUDOERS, "sudo/sudoers.j2", mode="440", group_name=GROUP, ci_accounts=accounts),
        *(of_ci(accounts) if settings.ci else []),
    ]


def of_ci(accounts: Iterable[Ci]) -> list[Node]:
    return [Directory(Ci.home), file(LIMITS, "limits/ci.conf.j2", ci_accounts=accounts)]


@deploy("Removed accounts")
def removed_accounts(settings: Host) -> None:
    found: Accounts = host.get_fact(AccountsFact, group=GROUP)
    for name in sorted((found.members or frozenset()) - set(settings.accounts)):
        refuse_own_removal(name)
        account = found.by_name[name]
        if account.made_by_us:
            admins.absent(
                name=f"Remove the account {name}; root owns its home",
                account=name,
                home=account.home,
            )
        else:
            admins.released(
                name=f"Remove our rights from the account {name}, which existed before and stays",
                account=name,
                group=GROUP,
            )
    for name in sorted(found.by_name):
        if found.by_name[name].home == Ci.home and name not in settings.ci_accounts:
            admins.absent(name=f"Remove the account {name}", account=name, home=Ci.home)


def refuse_services(settings: Host) -> None:
    """Raises ServerError for an admin with the name of a service's account, and for an account of
    others with the name of a CI's."""
    found: Accounts = host.get_fact(AccountsFact, group=GROUP)
    for name in settings.ci_accounts.keys() & found.by_name.keys():
        if found.by_name[name].home != Ci.home:
            raise ServerError(
                f"{host.name}: there is an account {name} already (user id"
                f" {found.by_name[name].uid}), which no run has made: rename it, or remove it with"
                f" `userdel {name}`"
            )
    for name in settings.accounts:
        account = found.by_name.get(name)
        closed = account and not account.lets_in and name not in (found.members or ())
        if account and (account.a_service or closed):
            raise ServerError(
                f"{host.name}: {name} is the account of a service (user id {account.uid}, shell"
                f" {account.shell}); choose another name for this admin in group_data/all.yml under"
                " host: admins:"
            )


def refuse_own_removal(name: str) -> None:
    if host.data.get("ssh_user") == name:
        raise ServerError(
            f"{host.name}: this run would remove {name}, the account that it is logged in as;"
            " log in as another account"
        )
