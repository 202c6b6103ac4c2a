"""Services that run on older files than those on disk."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from math import inf
from posixpath import dirname

from pyinfra.context import host

from stagecraft.drift.areas import Looked
from stagecraft.drift.declared import Declared
from stagecraft.drift.findings import Finding, Hearsay, Severity
from stagecraft.drift.plan import require_plan
from stagecraft.drift.running import redis
from stagecraft.drift.running.finding import environment_of, finding
from stagecraft.drift.unmanaged.files import unexplained
from stagecraft.drift.unmanaged.packages import package_files
from stagecraft.engines import ENGINES
from stagecraft.facts.configuration import Configuration, ConfigurationFact
from stagecraft.facts.processes import Processes, ProcessesFact
from stagecraft.manifest import PathRecord
from stagecraft.run import this_run
from stagecraft.seen import Service
from stagecraft.services import FAIL2BAN, NGINX, PhpFpm, Redis, php_settings
from tasks.machine import php_version

LOADED_WHOLE = {
    FAIL2BAN: ["/etc/fail2ban"],
    **{engine.unit: [engine.directory] for engine in ENGINES.values()},
}
"""What services read when they start, and only then."""


def services(declared: Declared) -> Looked:
    """nginx and PHP-FPM by what their masters tell, the others by what systemd says of them; which
    there are, the plan knows."""
    require_plan()
    processes: Processes = host.get_fact(ProcessesFact)
    loads = {service.unit: loaded_by(service.unit, declared) for service in this_run().services}
    configuration: Configuration = host.get_fact(
        ConfigurationFact, loads={unit: paths for unit, paths in loads.items() if paths}
    )
    told = {Redis(site).unit for site in redis.differing(declared)}
    others = told_by_others(declared, configuration)
    found: list[Finding] = []
    for service in this_run().services:
        if service.follows or not service.present.running:
            continue  # a file is not as declared, or it is down: that is what has to be said
        if service.unit != NGINX and service.step and not reads_others(service, declared):
            path = service.present.newer
            if service.unit not in told and not others.keys() & {path, f"{path}/"}:
                found.append(stale_service(service, declared))
            continue
        loaded = processes.loaded.get(service.unit, service.present.refreshed)
        paths = configuration.loads.get(service.unit, {})
        found += stale_paths(service.unit, newer(paths, loaded, others), declared)
    return Looked(found)


def reads_others(service: Service, declared: Declared) -> bool:
    """Whether it is to take up what is not ours: another finding may tell of that."""
    path = service.present.newer
    loaded = (f"{top}/" for top in loaded_by(service.unit, declared))
    return (
        service.step == "reload"
        and path not in declared.paths
        and f"{path}/".startswith(tuple(loaded))
    )


def loaded_by(unit: str, declared: Declared) -> list[str]:
    """Files and directories that the unit loads and that are not all ours. Of those that are, the
    plan tells."""
    for site in declared.environment.sites:
        if unit == PhpFpm(site.name).unit:
            return php_settings(php_version(site, declared.machine))
    return LOADED_WHOLE.get(unit, [])


def told_by_others(declared: Declared, configuration: Configuration) -> dict[str, float]:
    """Paths of which other findings tell, and until when a change is theirs: that of a file is
    also one of its directory, and of what is gone nobody knows when it went."""
    records = [record for records in declared.records.values() for record in records.paths]
    since = {path: at for paths in configuration.loads.values() for path, at in paths.items()}
    told = told_by_files(declared) | dict.fromkeys(displaced(configuration, records), inf)
    return with_directories({path: min(at, since.get(path, at)) for path, at in told.items()})


def told_by_files(declared: Declared) -> dict[str, float]:
    """The paths of files that nobody declared, or that are not as a package has brought them."""
    changed = [f.thing for f in package_files(declared).findings if not isinstance(f, Hearsay)]
    return unexplained(declared) | dict.fromkeys(changed, inf)


def with_directories(paths: Mapping[str, float]) -> dict[str, float]:
    """The paths, and their directories as of the latest change in each."""
    found = dict(paths)
    for path, moment in paths.items():
        directory = f"{dirname(path)}/"
        found[directory] = max(moment, found.get(directory, 0))
    return found


def newer(
    paths: Mapping[str, float], loaded: float, others: Mapping[str, float]
) -> dict[str, float]:
    """Those that changed after they were loaded, by a change that no other finding tells."""
    return {
        path: changed
        for path, changed in paths.items()
        if changed > max(loaded, others.get(path, 0))
    }


def displaced(configuration: Configuration, records: Iterable[PathRecord]) -> set[str]:
    """Of the files and links of nginx that runs have installed, whichever environment's, those that
    it does not load as the runs left them. Of other services the plan tells."""
    installed = [
        record
        for record in records
        if record.kind in ("file", "link") and record.path.startswith("/etc/nginx/")
    ]
    standing = {record.path for record in installed if stands(record, configuration)}
    return {record.path for record in installed} - standing


def stands(record: PathRecord, configuration: Configuration) -> bool:
    if record.kind == "link":
        return record.path in configuration.loads.get(NGINX, {})
    return configuration.sums.get(record.path) == record.value


def stale_service(service: Service, declared: Declared) -> Finding:
    """One whose files systemd, or the service itself, has not read since they changed."""
    reread = "systemctl daemon-reload && " if service.present.outdated else ""
    return stale(
        service.unit,
        service.present.newer or "its unit",
        0,
        f"{reread}systemctl {service.step} {service.unit}",
        environment_of(service.unit, declared),
    )


def stale_paths(unit: str, newer: Mapping[str, float], declared: Declared) -> Iterator[Finding]:
    if newer:
        path = max(newer, key=newer.__getitem__)
        test = "nginx -t && " if unit == NGINX else ""
        step = "restart" if unit in LOADED_WHOLE else "reload"
        remedy = f"{test}systemctl {step} {unit}"
        yield stale(unit, path, newer[path], remedy, environment_of(unit, declared))


def stale(unit: str, path: str, changed: float, remedy: str, environment: str = "") -> Finding:
    return finding(
        Severity.HIGH,
        ("service", unit),
        expected="runs what its files say",
        found=f"may still run what was removed from {path}"
        if path.endswith("/")
        else f"has not taken up {path} since it changed",
        remedy=remedy,
        environment=environment,
        since=changed,
    )
