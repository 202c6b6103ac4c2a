"""What pyinfra runs on each server for `stagecraft drift`, always with --dry: the plan of
deploy.py, then checks of everything that a plan does not show. Writes a Report as JSON to the file
named by `--data report=`."""

from pathlib import Path

from pyinfra.context import host

from stagecraft.drift.judging import certificates, logs, wearing
from stagecraft.drift.judging.explained import without_consequences
from stagecraft.drift.judging.explaining import explanations
from stagecraft.drift.judging.managed import managed
from stagecraft.drift.judging.running import (
    access,
    database,
    kernel,
    maintenance,
    redis,
    services,
    units,
)
from stagecraft.drift.judging.unmanaged import (
    accounts,
    database_insides,
    databases,
    identity,
    kernel_state,
    network,
    packages,
    php,
    processes,
    records,
    rights,
    sites,
)
from stagecraft.drift.judging.unmanaged.files import files_of
from stagecraft.drift.judging.unmanaged.locations import AREAS as FILES
from stagecraft.drift.judging.who import attributed
from stagecraft.drift.looking.areas import Area, look
from stagecraft.drift.looking.plan import refuse_execution, unremoved
from stagecraft.drift.looking.server import declared_here

_AREAS: dict[str, Area] = {
    "managed": managed,
    # Undeclared.
    **{area: files_of(area) for area in FILES},
    "released files": sites.released,
    "databases": databases.databases,
    "database insides": database_insides.database_insides,
    "PHP modules": php.php_modules,
    "ports": network.ports,
    "firewall tables": network.firewall_tables,
    "kernel state": kernel_state.kernel_state,
    "accounts": accounts.accounts,
    "identities": identity.identities,
    "processes as nginx": accounts.processes_as_nginx,
    "processes": processes.processes,
    "archives": packages.archives,
    "packages": packages.packages,
    "package files": packages.package_files,
    "packages' rights": rights.rights,
    "records": records.records,
    # Running state that differs from the disk.
    "services": services.services,
    "replaced files": services.replaced_files,
    "loaded code": services.loaded_code,
    "database variables": database.database_variables,
    "Redis settings": redis.redis_settings,
    "certificate renewals": certificates.renewals,
    "served certificates": certificates.served_certificates,
    "ways in": access.ways_in,
    "jails": access.jails,
    "kernel": kernel.kernel,
    "logs": logs.logs,
    "mounts": kernel.mounts,
    "loaded units": units.loaded_units,
    "maintenance": maintenance.maintenance,
    # Going to fail without a change.
    "certificate lifetimes": certificates.certificate_lifetimes,
    "failed units": units.failed_units,
    "updates": wearing.updates,
    "disks": wearing.disks,
    "backups": wearing.backups,
    "clock": wearing.clock,
}

refuse_execution()
_declared = declared_here()
_found = unremoved(without_consequences(look(_AREAS, _declared)))
_report = attributed(_found, _declared.environment)
if _thing := host.data.get("explain"):
    _said = explanations(_thing, _declared, _report.findings)
    _report = _report.model_copy(update={"explanations": _said})
Path(host.data.report).write_text(_report.model_dump_json(by_alias=True))
