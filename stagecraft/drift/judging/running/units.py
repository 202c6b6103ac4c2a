"""Units for which systemd's state differs from the disk, and failed ones."""

import re
import shlex
from collections.abc import Iterator

from stagecraft.drift.findings import Class, Finding, Kind
from stagecraft.drift.looking.server import Declared, ask
from stagecraft.facts.units import Units, UnitsFact
from stagecraft.run import this_run

UNIT = Kind(Class.RUNNING, "unit", "runs as its files say")
OVERRIDE = Kind(Class.RUNNING, "unit override", "as its files below /etc and /usr say")
ENVIRONMENT = Kind(
    Class.RUNNING, "environment of all services", "unset, or as systemd itself sets it"
)

FAILED_UNIT = Kind(Class.WEARING, "failed unit", "does not fail")

PACKAGED = "/usr/lib/systemd/"

MEANINGS = {
    "certbot.service": "certificates are not renewed",
    "apt-daily.service": "apt does not learn of updates",
    "apt-daily-upgrade.service": "security updates are not installed",
    "logrotate.service": "logs grow until the disk is full",
    "unattended-upgrades.service": "an upgrade may be cut off by a shutdown",
}
"""By unit, for all of its instances."""


def loaded_units(declared: Declared) -> Iterator[Finding]:
    """Units that differ from their declaration are left to the plan."""
    units = ask(UnitsFact)
    planned = {
        service.unit
        for service in this_run().services
        if service.follows or service.step or not service.present.starts_at_boot
    }
    yield from (found for found in differing(units, declared) if found.thing not in planned)
    for name in units.environment:
        # `systemctl set-environment`, for instance of a library to preload.
        yield ENVIRONMENT.finding(
            name,
            found="systemd passes it to all that it starts, and running services keep it",
            remedy=f"systemctl unset-environment {name}",
        )


def differing(units: Units, declared: Declared) -> Iterator[Finding]:
    """Of the files that systemd has not read, only declared and packaged ones: other findings
    report the rest. A started timer or service keeps running without its file."""
    for path, changed in units.unread.items():
        if path in declared.paths or path.startswith(PACKAGED):
            yield UNIT.finding(
                unit_of(path),
                expected="systemd has read its files",
                found=f"{path} changed since systemd read it",
                remedy="systemctl daemon-reload",
                since=changed,
            )
    for path, changed in units.until_boot.items():
        yield OVERRIDE.finding(
            unit_of(path),
            found=f"{path} changes it until the next boot",
            remedy=f"rm {shlex.quote(path)} && systemctl daemon-reload",
            since=changed,
        )
    for unit, path in units.gone.items():
        restarted = f"systemctl daemon-reload && systemctl try-restart {shlex.quote(unit)}"
        stopped = f"systemctl stop {shlex.quote(unit)} && systemctl daemon-reload"
        yield UNIT.finding(
            unit,
            found=f"runs as {path or 'a file'} said, which no longer exists",
            remedy=restarted if path.endswith(".conf") else stopped,
        )


def unit_of(path: str) -> str:
    """The unit of a unit file or a drop-in: `…/nginx.service.d/x.conf` → `nginx.service`."""
    drop_in = re.search(r"/([^/]+)\.d/[^/]+$", path)
    return drop_in[1] if drop_in else path.rpartition("/")[2]


def failed_units(_: Declared) -> Iterator[Finding]:
    """Excludes those that a run would start, which are reported as not running. systemd cannot
    restart a unit without a file; it only remembers the failure."""
    started = {service.unit for service in this_run().services if service.step == "start"}
    for failure in ask(UnitsFact).failed:
        if failure.unit in started:
            continue
        meaning = MEANINGS.get(re.sub("@.*(?=[.])", "", failure.unit))
        unit = shlex.quote(failure.unit)
        again = f"journalctl -u {unit}; systemctl restart {unit}"
        yield FAILED_UNIT.finding(
            failure.unit,
            found=f"it failed ({failure.result})" + (f": {meaning}" if meaning else ""),
            remedy=again if failure.file else f"systemctl reset-failed {unit}",
            since=failure.since,
        )
