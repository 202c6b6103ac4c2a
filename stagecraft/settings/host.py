"""The machine itself, as types: who may log in, what is open, when it updates."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from stagecraft.settings import values
from stagecraft.settings.public_keys import PublicKey, lines
from stagecraft.settings.setting import Port, Setting

DEPLOY = "deploy"
"""The account of automation."""

GROUP = "stagecraft"
"""Whoever is in it was declared once: taken out of all.yml, the account goes."""


class Opening(Setting):
    """A port that the firewall opens; without `sources`, to everybody."""

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
    """`reboot` is `never`, or the time of day at which an upgrade that needs it may reboot."""

    reboot: values.RebootTime = "never"


class Host(Setting):
    """What bootstrap.py sets of a machine, and deploy.py keeps.

    `admins` are accounts with their SSH public keys, `deploy` more keys for the account of that
    name. `firewall` is None where it is somebody else's.
    """

    admins: Annotated[
        dict[values.UnixUser, Annotated[list[PublicKey], Field(min_length=1)]],
        Field(min_length=1),
    ]
    deploy: list[PublicKey] = []
    firewall: Firewall | None = Firewall()
    upgrades: Upgrades = Upgrades()
    timezone: values.Timezone = "Etc/UTC"
    locale: values.Locale = "C.UTF-8"
    swap: values.Swap = "auto"
    journal: values.Size = "500M"

    @property
    def accounts(self) -> list[str]:
        """Everybody who may log in."""
        return sorted([*self.admins, DEPLOY])

    def keys(self, account: str) -> list[str]:
        """The account's lines for authorized_keys; every admin's key opens `deploy`, too."""
        if account != DEPLOY:
            return lines(self.admins[account])
        return lines([*self.deploy, *(key for keys in self.admins.values() for key in keys)])
