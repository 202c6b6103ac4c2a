"""Services that run older files or programs than those on disk, or code of no package."""

import re
import shlex
from collections.abc import Iterable, Iterator, Mapping
from math import inf
from pathlib import PurePosixPath
from posixpath import dirname

from stagecraft.drift.findings import Class, Finding, Kind, Severity
from stagecraft.drift.judging.remedies import shortened
from stagecraft.drift.judging.unmanaged.files import unexplained
from stagecraft.drift.judging.unmanaged.locations import UNITS
from stagecraft.drift.judging.unmanaged.packages import package_files
from stagecraft.drift.looking.plan import require_plan
from stagecraft.drift.looking.server import Declared, ask
from stagecraft.engines import ENGINES
from stagecraft.facts.configuration import Configuration, ConfigurationFact
from stagecraft.facts.processes import ProcessesFact
from stagecraft.facts.units import UnitsFact
from stagecraft.facts.unpackaged import UnpackagedFilesFact
from stagecraft.manifest import PathRecord
from stagecraft.packages import php_version
from stagecraft.run import this_run
from stagecraft.services import FAIL2BAN, NGINX, PhpFpm, php_settings

SERVICE = Kind(Class.RUNNING, "service", "runs what its files say")
REPLACED_FILES = Kind(
    Class.RUNNING, "replaced files", "runs the programs and libraries that are installed"
)
LOADED_CODE = Kind(
    Class.RUNNING,
    "loaded code",
    "runs only code from packages, with only the variables of its unit",
    Severity.CRITICAL,
)

LOADED_WHOLE = {
    FAIL2BAN: ["/etc/fail2ban"],
    **{engine.unit: [engine.directory] for engine in ENGINES.values()},
}
"""Read only when the service starts."""

MANAGER = "init.scope"

UNTIL_BOOT = re.compile(
    "dbus|network|NetworkManager|ModemManager|wpa_supplicant|ifup|openvpn|docker|lxc|libvirt"
    "|systemd-logind|user@|getty@|serial-getty@|emergency|rescue|rc-local|apt-daily"
    "|unattended-upgrades"
)
"""Not restarted by needrestart either, because that ends logins, the network or containers; they
wait for a reboot. Not a finding, because nobody would act on it."""


def services(declared: Declared) -> Iterator[Finding]:
    """nginx and PHP-FPM by what their masters loaded, others by systemd's state. The plan lists the
    services."""
    require_plan()
    loaded = ask(ProcessesFact).complete("loaded").loaded
    units = [service.unit for service in this_run().services]
    loads = {unit: paths for unit in units if (paths := loaded_by(unit, declared))}
    # The plan reports what is down, and what loads files that it changes.
    running = [s for s in this_run().services if s.present.running and not s.follows]
    judged = {service.unit for service in running} & {NGINX, *loads}
    configuration = ask(ConfigurationFact, loads=loads).complete(judged)
    reported = reported_changes(declared, configuration)
    for service in running:
        unit, present = service.unit, service.present
        shared = tuple(f"{top}/" for top in loads.get(unit, ()))
        # Files that are not ours, which another finding may report.
        others = present.newer not in declared.paths and f"{present.newer}/".startswith(shared)
        if unit != NGINX and service.step and not (service.step == "reload" and others):
            if not reported.keys() & {present.newer, f"{present.newer}/"}:
                reread = "systemctl daemon-reload && " if present.outdated else ""
                yield stale(unit, present.newer or "its unit", f"{reread}systemctl {service.step}")
            continue
        since = loaded.get(unit, present.refreshed)
        newer = {
            path: changed
            for path, changed in configuration.loads.get(unit, {}).items()
            if changed > max(since, reported.get(path, 0))
        }
        if newer:
            path = max(newer, key=newer.__getitem__)
            test = "nginx -t && " if unit == NGINX else ""
            step = "restart" if unit in LOADED_WHOLE else "reload"
            yield stale(unit, path, f"{test}systemctl {step}", newer[path])


def stale(unit: str, path: str, command: str, changed: float = 0) -> Finding:
    removed = f"may still run what was removed from {path}"
    edited = f"has not loaded {path} since it changed"
    found = removed if path.endswith("/") else edited
    return SERVICE.finding(unit, found=found, remedy=f"{command} {unit}", since=changed)


def loaded_by(unit: str, declared: Declared) -> list[str]:
    """Files and directories that the unit loads and that are not all ours; the plan reports
    ours."""
    for site in declared.environment.sites:
        if unit == PhpFpm(site.name).unit:
            return php_settings(php_version(site, declared.machine))
    return LOADED_WHOLE.get(unit, [])


def reported_changes(declared: Declared, configuration: Configuration) -> dict[str, float]:
    """Paths that other findings report, with the time until which they explain changes. A file's
    change also changes its directory; the time of a removal is unknown."""
    records = [record for records in declared.records.values() for record in records.paths]
    since = {path: at for paths in configuration.loads.values() for path, at in paths.items()}
    until = reported_files(declared) | dict.fromkeys(not_as_recorded(configuration, records), inf)
    return with_directories({path: min(at, since.get(path, at)) for path, at in until.items()})


def reported_files(declared: Declared) -> dict[str, float]:
    """The paths of undeclared files, and of files that differ from their packages."""
    changed = [found.thing for found in package_files(declared) if not found.recorded_by]
    return unexplained(declared) | dict.fromkeys(changed, inf)


def with_directories(paths: Mapping[str, float]) -> dict[str, float]:
    """The paths, and their directories with the latest change in each."""
    found = dict(paths)
    for path, moment in paths.items():
        directory = f"{dirname(path)}/"
        found[directory] = max(moment, found.get(directory, 0))
    return found


def not_as_recorded(configuration: Configuration, records: Iterable[PathRecord]) -> set[str]:
    """Files and links in /etc/nginx, recorded by runs of any environment, that nginx does not load
    as recorded. The plan reports other services."""
    links, sums = configuration.loads.get(NGINX, {}), configuration.sums
    nginx = [r for r in records if r.kind != "directory" and r.path.startswith("/etc/nginx/")]
    as_recorded = {
        record.path
        for record in nginx
        if (record.kind == "link" and record.path in links) or sums.get(record.path) == record.value
    }
    return {record.path for record in nginx} - as_recorded


def replaced_files(_: Declared) -> Iterator[Finding]:
    """Services only: programs of a session end with it."""
    for unit, paths in sorted(ask(ProcessesFact).complete("code").deleted.items()):
        service = unit.endswith(".service") and not UNTIL_BOOT.match(unit)
        if service or unit == MANAGER:
            step = "daemon-reexec" if unit == MANAGER else f"restart {unit}"
            names = sorted({PurePosixPath(path).name or "its program" for path in paths})
            yield REPLACED_FILES.finding(
                unit,
                found=f"runs old ones that are gone from the disk: {shortened(names, 3)}",
                remedy=f"systemctl {step}",
            )


def loaded_code(declared: Declared) -> Iterator[Finding]:
    """A library that a drop-in loaded stays loaded when the drop-in is gone. Skips undeclared units
    of no package: they have other findings, or are the provider's. Without `host`, only our
    services are checked."""
    processes = ask(ProcessesFact).complete("code", "variables")
    others = undeclared_units(declared)
    ours = {service.unit for service in this_run().services}
    passed_to_all = " ".join(sorted(ask(UnitsFact).environment))
    for unit in sorted(processes.foreign.keys() | processes.variables.keys()):
        if {unit, template_of(unit)} & others or unit.startswith("user@"):
            continue
        if declared.settings.host is None and unit not in ours:
            continue
        code = sorted(processes.foreign.get(unit, ()))
        variables = sorted(processes.variables.get(unit, ()))
        found = [f"has loaded {path}, which is in no package" for path in code]
        found += [f"runs with {variable}, which its unit does not set" for variable in variables]
        # Otherwise systemd would pass them again.
        forget = f"systemctl unset-environment {passed_to_all} && " if passed_to_all else ""
        restart = "reboot" if UNTIL_BOOT.match(unit) else f"systemctl restart {shlex.quote(unit)}"
        yield LOADED_CODE.finding(unit, found="; ".join(found), remedy=f"{forget}{restart}")


def undeclared_units(declared: Declared) -> set[str]:
    paths = (file.path for file in ask(UnpackagedFilesFact) if file.path not in declared.paths)
    files = (re.fullmatch(rf"{UNITS}/([^/]+\.service)", path) for path in paths)
    return {match[1] for match in files if match}


def template_of(unit: str) -> str:
    """`getty@tty1.service` → `getty@.service`."""
    name, at, _ = unit.partition("@")
    return f"{name}@.service" if at else unit
