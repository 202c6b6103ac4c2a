"""Services that run code which neither a package nor their units account for."""

from __future__ import annotations

import re
import shlex
from collections.abc import Collection, Iterator

from pyinfra.context import host

from stagecraft.drift.findings import Finding, Severity
from stagecraft.drift.judging.running.deleted import UNTIL_BOOT
from stagecraft.drift.judging.running.finding import environment_of, finding
from stagecraft.drift.judging.unmanaged.places import UNITS
from stagecraft.drift.looking.areas import Looked
from stagecraft.drift.looking.declared import Declared
from stagecraft.facts.processes import Processes, ProcessesFact
from stagecraft.facts.strays import Stray, Strays
from stagecraft.facts.units import Units as SystemdUnits
from stagecraft.facts.units import UnitsFact
from stagecraft.run import this_run

UNIT_FILE = re.compile(rf"{UNITS}/([^/]+\.service)")


def loaded_code(declared: Declared) -> Looked:
    """A library that a drop-in had a service load stays in it when the drop-in is gone. Without
    `host`, other services than ours are somebody else's affair."""
    processes: Processes = host.get_fact(ProcessesFact)
    strays: list[Stray] = host.get_fact(Strays)
    units: SystemdUnits = host.get_fact(UnitsFact)
    found = foreign(processes, units_of_others(strays, declared), units.environment, declared)
    if declared.settings.host is None:
        ours = {service.unit for service in this_run().services}
        return Looked([one for one in found if one.thing in ours])
    return Looked(list(found))


def foreign(
    processes: Processes, others: Collection[str], environment: Collection[str], declared: Declared
) -> Iterator[Finding]:
    """`others` are units with code of their own, `environment` the variables that somebody has
    systemd give to all units."""
    for unit in sorted(processes.foreign.keys() | processes.variables.keys()):
        if unit in others or template(unit) in others or unit.startswith("user@"):
            continue
        code = sorted(processes.foreign.get(unit, ()))
        variables = sorted(processes.variables.get(unit, ()))
        yield finding(
            Severity.CRITICAL,
            ("loaded code", unit),
            expected="runs code of packages alone, with the variables of its unit",
            found="; ".join(
                [f"has loaded {path}, which no package has brought" for path in code]
                + [f"runs with {variable}, which its unit does not set" for variable in variables]
            ),
            remedy=started_anew(unit, environment),
            environment=environment_of(unit, declared),
        )


def started_anew(unit: str, environment: Collection[str]) -> str:
    """Without what systemd would give it again."""
    restart = "reboot" if UNTIL_BOOT.match(unit) else f"systemctl restart {shlex.quote(unit)}"
    forget = f"systemctl unset-environment {' '.join(sorted(environment))} && "
    return f"{forget if environment else ''}{restart}"


def units_of_others(strays: Collection[Stray], declared: Declared) -> set[str]:
    """The names of the units that no package has brought and we have not declared: they have other
    findings, or the server had them at first."""
    files = (stray.path for stray in strays if stray.path not in declared.paths)
    return {match[1] for path in files if (match := UNIT_FILE.fullmatch(path))}


def template(unit: str) -> str:
    """`php-fpm@askpro.service` → `php-fpm@.service`."""
    name, at, _ = unit.partition("@")
    return f"{name}@.service" if at else ""
