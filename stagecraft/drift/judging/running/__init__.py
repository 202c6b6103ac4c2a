"""What runs and is not what is on disk."""

from __future__ import annotations

from stagecraft.drift.judging.running.access import ways_in
from stagecraft.drift.judging.running.certificates import served_certificates
from stagecraft.drift.judging.running.code import loaded_code
from stagecraft.drift.judging.running.database import database_variables
from stagecraft.drift.judging.running.deleted import replaced_files
from stagecraft.drift.judging.running.fail2ban import jails
from stagecraft.drift.judging.running.kernel import kernel
from stagecraft.drift.judging.running.mounts import mounts
from stagecraft.drift.judging.running.redis import redis_settings
from stagecraft.drift.judging.running.services import services
from stagecraft.drift.judging.running.units import units
from stagecraft.drift.looking.areas import Area

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
