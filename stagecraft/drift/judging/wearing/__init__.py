"""What is going to fail by itself, unless somebody looks after it."""

from __future__ import annotations

from stagecraft.drift.judging.wearing.backups import backups
from stagecraft.drift.judging.wearing.certificates import certificate_lifetimes
from stagecraft.drift.judging.wearing.clock import clock
from stagecraft.drift.judging.wearing.disks import disks
from stagecraft.drift.judging.wearing.units import failed_units
from stagecraft.drift.judging.wearing.updates import updates
from stagecraft.drift.looking.areas import Area

WEARING: list[Area] = [certificate_lifetimes, failed_units, updates, disks, backups, clock]
