"""Settings of the machine itself: who may log in, which ports are open, when it reboots."""

from typing import Annotated, Literal

from pydantic import Field

from stagecraft.services import Ci
from stagecraft.settings import values
from stagecraft.settings.public_keys import PublicKey, lines
from stagecraft.settings.setting import Port, Setting

DEPLOY = "deploy"
"""The account of automation."""

GROUP = "stagecraft"
"""The accounts that all.yml declared once; those it no longer declares are removed."""


class Opening(Setting):
    """A port that the firewall opens, to everybody if there are no `sources`."""

    port: Port
    protocol: Literal["tcp", "udp"] = "tcp"
    sources: list[values.Network] = []

    @property
    def ipv4(self) -> list[str]:
        return [source for source in self.sources if ":" not in source]

    @property
    def ipv6(self) -> list[str]:
        return [source for source in self.sources if ":" in source]


class Firewall(Setting):
    """What is open besides SSH, HTTP and HTTPS."""

    open: dict[Annotated[values.Name, Field(max_length=128)], Opening] = {}  # nft's comments


class Upgrades(Setting):
    """`reboot` is `never`, or the time of day at which the machine reboots for an upgrade."""

    reboot: values.RebootTime = "never"


class Host(Setting):
    """What bootstrap.py sets up on a machine and deploy.py maintains. `admins` maps accounts to SSH
    public keys; `deploy` lists more keys for that account. `ci` has the keys of each environment on
    the machine, from its own file. `firewall` is None if the machine has another one."""

    admins: Annotated[
        dict[values.UnixUser, Annotated[list[PublicKey], Field(min_length=1)]],
        Field(min_length=1),
    ]
    deploy: list[PublicKey] = []
    ci: dict[values.Name, list[PublicKey]] = {}
    firewall: Firewall | None = Firewall()
    upgrades: Upgrades = Upgrades()
    timezone: values.Timezone = "Etc/UTC"
    locale: values.Locale = "C.UTF-8"
    swap: values.Swap = "auto"
    journal: values.Size = "500M"

    @property
    def accounts(self) -> list[str]:
        """Everybody who may log in and become root."""
        return sorted([*self.admins, DEPLOY])

    @property
    def ci_accounts(self) -> dict[str, Ci]:
        return {ci.user: ci for ci in map(Ci, sorted(self.ci))}

    @property
    def logins(self) -> list[str]:
        """Everybody who may log in."""
        return sorted([*self.accounts, *self.ci_accounts])

    def keys(self, account: str) -> list[str]:
        """The account's lines in authorized_keys. Every admin's key also works for `deploy`."""
        if account == DEPLOY:
            return lines([*self.deploy, *(key for keys in self.admins.values() for key in keys)])
        if ci := self.ci_accounts.get(account):
            return [f"{ci.key_options} {key}" for key in lines(self.ci[ci.environment])]
        return lines(self.admins[account])
