"""Sizes of a PHP-FPM pool, derived from the machine's memory."""

from __future__ import annotations

from dataclasses import dataclass

from stagecraft.facts.machine import Machine
from stagecraft.settings import PhpFpm

OPCACHE_MB = 128
"""Shared by a pool's processes: a Laravel release with Filament takes about 60 MB, kept twice."""

START_SERVERS = 5
MAX_SPARE_SERVERS = 35


@dataclass(frozen=True)
class Pool:
    """Megabytes and process counts for `pm = dynamic`."""

    memory_mb: int
    opcache_mb: int
    memory_limit_mb: int
    max_children: int
    start_servers: int
    min_spare_servers: int
    max_spare_servers: int


def pool(settings: PhpFpm, machine: Machine) -> Pool:
    """As many processes as the site's share of memory holds beside opcache, within the declared
    maximum and never fewer than two."""
    memory_mb = machine.megabytes(settings.memory_percent)
    process_mb = settings.process_size_bytes // 2**20
    memory_mb = max(memory_mb, OPCACHE_MB + 2 * process_mb)
    max_children = min(settings.max_children, (memory_mb - OPCACHE_MB) // process_mb)
    start = min(START_SERVERS, max(max_children // 2, 1))
    return Pool(
        memory_mb=memory_mb,
        opcache_mb=OPCACHE_MB,
        memory_limit_mb=max(128, 2 * process_mb),
        max_children=max_children,
        start_servers=start,
        min_spare_servers=start,
        max_spare_servers=max(start, min(MAX_SPARE_SERVERS, max_children)),
    )
