"""What is there and nobody declared."""

from __future__ import annotations

from stagecraft.drift.judging.unmanaged import (
    accounts,
    archives,
    databases,
    files,
    filters,
    identities,
    listeners,
    packages,
    records,
)
from stagecraft.drift.looking.areas import Area

UNMANAGED: list[Area] = [
    files.vhosts,
    files.fpm_pools,
    files.redis_instances,
    files.cron_jobs,
    files.units,
    files.certificates,
    files.site_directories,
    databases.databases,
    listeners.ports,
    filters.firewall_tables,
    accounts.accounts,
    identities.who_is_nginx,
    files.rights,
    archives.archives,
    packages.packages,
    packages.package_files,
    files.other_files,
    records.records,
]
