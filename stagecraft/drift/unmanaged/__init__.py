"""What is there and nobody declared."""

from __future__ import annotations

from stagecraft.drift.areas import Area
from stagecraft.drift.unmanaged.accounts import accounts
from stagecraft.drift.unmanaged.archives import archives
from stagecraft.drift.unmanaged.databases import databases
from stagecraft.drift.unmanaged.files import (
    certificates,
    cron_jobs,
    fpm_pools,
    other_files,
    redis_instances,
    rights,
    site_directories,
    units,
    vhosts,
)
from stagecraft.drift.unmanaged.filters import firewall_tables
from stagecraft.drift.unmanaged.listeners import ports
from stagecraft.drift.unmanaged.packages import package_files, packages

UNMANAGED: list[Area] = [
    vhosts,
    fpm_pools,
    redis_instances,
    cron_jobs,
    units,
    certificates,
    site_directories,
    databases,
    ports,
    firewall_tables,
    accounts,
    rights,
    archives,
    packages,
    package_files,
    other_files,
]
