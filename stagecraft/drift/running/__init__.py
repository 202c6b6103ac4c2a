"""What runs and is not what is on disk."""

from __future__ import annotations

from stagecraft.drift.areas import Area
from stagecraft.drift.running.access import ways_in
from stagecraft.drift.running.certificates import served_certificates
from stagecraft.drift.running.code import loaded_code
from stagecraft.drift.running.database import database_variables
from stagecraft.drift.running.deleted import replaced_files
from stagecraft.drift.running.fail2ban import jails
from stagecraft.drift.running.kernel import kernel
from stagecraft.drift.running.mounts import mounts
from stagecraft.drift.running.redis import redis_settings
from stagecraft.drift.running.services import services
from stagecraft.drift.running.units import units

RUNNING: list[Area] = [
    services,
    replaced_files,
    loaded_code,
    database_variables,
    redis_settings,
    served_certificates,
    ways_in,
    jails,
    kernel,
    mounts,
    units,
]
