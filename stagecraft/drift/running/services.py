"""Services that run on older files than those on disk."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pyinfra.context import host

from stagecraft.drift.areas import Looked
from stagecraft.drift.declared import Declared
from stagecraft.drift.findings import Finding, Severity
from stagecraft.drift.running import redis
from stagecraft.drift.running.finding import environment_of, finding
from stagecraft.facts.configuration import Configuration, ConfigurationFact
from stagecraft.facts.processes import Processes, ProcessesFact
from stagecraft.operations.services import Service, looked_after
from tasks.machine import php_version

NGINX = "nginx.service"


def services(declared: Declared) -> Looked:
    """nginx by its workers, PHP-FPM by its children, the others by what systemd says of them."""
    processes: Processes = host.get_fact(ProcessesFact)
    configuration: Configuration = host.get_fact(ConfigurationFact, php=php_versions(declared))
    told = {redis.unit(site) for site in redis.differing(declared)}
    found: list[Finding] = []
    for service in looked_after():
        if service.follows:  # a file is not as declared: that is what has to be said
            continue
        if service.unit == NGINX:
            found += stale_nginx(processes, configuration, recorded_sums(declared))
        elif service.step in ("restart", "reload") and service.unit not in told:
            found.append(stale_service(service, declared))
        else:
            found += stale_children(service.unit, processes, configuration, declared)
    return Looked(found)


def php_versions(declared: Declared) -> list[str]:
    return sorted({php_version(site, declared.machine) for site in declared.environment.sites})


def recorded_sums(declared: Declared) -> dict[str, str]:
    """The SHA-256 of each file that runs have installed, whichever environment's."""
    return {
        record.path: record.text.rpartition("\t")[2]
        for records in declared.records.values()
        for record in records
        if record.kind == "file"
    }


def stale_nginx(
    processes: Processes, configuration: Configuration, recorded: Mapping[str, str]
) -> Iterator[Finding]:
    """A file that differs from its record is another finding, or another environment's."""
    if processes.nginx is None:
        return
    newer = {
        path: changed
        for path, changed in configuration.nginx.items()
        if changed > processes.nginx
        if configuration.sums.get(path) == recorded.get(path, configuration.sums.get(path))
    }
    if newer:
        path = max(newer, key=newer.__getitem__)
        yield stale(NGINX, path, newer[path], "nginx -t && systemctl reload nginx.service")


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


def stale_children(
    unit: str, processes: Processes, configuration: Configuration, declared: Declared
) -> Iterator[Finding]:
    """PHP-FPM reads PHP's own settings when its children come to be; the master stays."""
    site = next((site for site in declared.sites if unit == f"php-fpm@{site.name}.service"), None)
    if site is None or unit not in processes.php_fpm:
        return
    for path, changed in configuration.php.items():
        version = php_version(site, declared.machine)
        if path.startswith(f"/etc/php/{version}/") and changed > processes.php_fpm[unit]:
            yield stale(unit, path, changed, f"systemctl reload {unit}", site.environment)


def stale(unit: str, path: str, changed: float, remedy: str, environment: str = "") -> Finding:
    return finding(
        Severity.HIGH,
        ("service", unit),
        expected="runs what its files say",
        found=f"has not taken up {path} since it changed",
        remedy=remedy,
        environment=environment,
        since=changed,
    )
