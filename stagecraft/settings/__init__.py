"""The contents of `group_data/*.yml`, checked and typed."""

from stagecraft.settings.host import DEPLOY, Host
from stagecraft.settings.models import Environment, Server, Site, environment_of
from stagecraft.settings.read import REPOSITORY, read
from stagecraft.yaml_files import SettingsError

__all__ = [
    "DEPLOY",
    "REPOSITORY",
    "Environment",
    "Host",
    "Server",
    "SettingsError",
    "Site",
    "environment_of",
    "read",
]
