"""What is going to fail by itself, unless somebody looks after it."""

from __future__ import annotations

from stagecraft.drift.areas import Area
from stagecraft.drift.wearing.backups import backups
from stagecraft.drift.wearing.certificates import certificate_lifetimes
from stagecraft.drift.wearing.clock import clock
from stagecraft.drift.wearing.disks import disks
from stagecraft.drift.wearing.units import failed_units
from stagecraft.drift.wearing.updates import updates

WEARING: list[Area] = [certificate_lifetimes, failed_units, updates, disks, backups, clock]
