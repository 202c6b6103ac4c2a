"""The contents of `group_data/*.yml`, checked and typed."""

from stagecraft.settings.host import DEPLOY, Firewall, Host, Upgrades
from stagecraft.settings.models import (
    AptSource,
    Database,
    Environment,
    Issuer,
    PhpFpm,
    Protect,
    Redis,
    Server,
    ServerDatabase,
    Site,
    Tls,
    environment_of,
)
from stagecraft.settings.read import REPOSITORY, read
from stagecraft.yaml_files import SettingsError

__all__ = [
    "DEPLOY",
    "REPOSITORY",
    "AptSource",
    "Database",
    "Environment",
    "Firewall",
    "Host",
    "Issuer",
    "PhpFpm",
    "Protect",
    "Redis",
    "Server",
    "ServerDatabase",
    "SettingsError",
    "Site",
    "Tls",
    "Upgrades",
    "environment_of",
    "read",
]
