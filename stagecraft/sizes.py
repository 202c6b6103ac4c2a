"""Sizes of a site's services, derived from its settings and the machine's memory."""

from dataclasses import dataclass

from stagecraft.facts.machine import Machine
from stagecraft.settings import Site
from stagecraft.settings.models import PhpFpmSettings
from stagecraft.settings.values import size_in_bytes

OPCACHE_MB = 128
"""Shared by a pool's processes: a release with Filament takes about 60 MB, a deploy keeps two."""

PROCESS_MB = PhpFpmSettings().process_size_bytes // 2**20
"""The usual size of a Laravel process."""

CPU_WEIGHT, STAGING_CPU_WEIGHT = 100, 20
"""systemd's CPUWeight; its default is 100."""

REDIS_PROCESS_MB = 64
"""An empty Redis (14 MB), and its buffers while it rewrites the append-only file."""

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


def pool(settings: PhpFpmSettings, machine: Machine) -> Pool:
    """As many processes as fit into the site's share of memory next to opcache, up to the declared
    maximum, and at least two."""
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


def cpu_weight(site: Site) -> int:
    """The weight of the site's units when the CPU is busy; staging sites yield to others."""
    return STAGING_CPU_WEIGHT if site.mark_staging else CPU_WEIGHT


def redis_memory_max_mb(site: Site) -> int:
    """The most memory that the site's Redis needs: its data, the same again while it rewrites the
    append-only file, half of it for clients (`maxmemory-clients`) and half for fragmentation."""
    return 3 * size_in_bytes(site.redis.memory) // 2**20 + REDIS_PROCESS_MB


def too_large(site: Site, machine: Machine) -> str | None:
    """Which of the site's sizes do not fit into the machine, and what would be right."""
    php, has = site.php_fpm, f"{machine.memory_mb} MB of memory"
    # A small machine's share may be less than a usual process, but it gets two anyway.
    share_mb = max(machine.megabytes(php.memory_percent), PROCESS_MB)
    most_mb = min(share_mb, (machine.memory_mb - OPCACHE_MB) // 2)
    if php.process_size_bytes // 2**20 > most_mb:
        return (
            f"php_fpm: process_size: {php.process_size} is too much for {php.memory} of {has}, of"
            f" which a pool takes opcache and at least two processes: at most {most_mb}M, or a"
            " larger share in php_fpm: memory:"
        )
    if size_in_bytes(site.redis.memory) // 2**20 > machine.memory_mb:
        return f"redis: memory: {site.redis.memory} is more than {has}"
    return None


SWAP_MAX_MB = 2048
"""A machine that needs more swap is too small."""


def swap_megabytes(setting: str, machine: Machine) -> int:
    """In megabytes, for a machine without swap: as much as memory, up to SWAP_MAX_MB."""
    if setting == "none":
        return 0
    if setting == "auto":
        return min(machine.memory_mb, SWAP_MAX_MB)
    return size_in_bytes(setting) // 2**20
