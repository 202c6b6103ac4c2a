"""One change is one finding: which findings another one explains."""

from stagecraft.drift.findings import MOUNT, Finding, Report
from stagecraft.drift.judging.logs import HISTORY
from stagecraft.drift.judging.running import redis
from stagecraft.drift.judging.running.access import JAIL
from stagecraft.drift.judging.running.kernel import KERNEL, lies_at
from stagecraft.drift.judging.running.services import SERVICE
from stagecraft.drift.judging.unmanaged.database_insides import CODE
from stagecraft.drift.judging.unmanaged.databases import GRANT
from stagecraft.drift.judging.unmanaged.php import MODULE
from stagecraft.services import FAIL2BAN, Redis


def without_consequences(report: Report) -> Report:
    """The report without findings that others explain."""
    found = report.findings
    left = [one for one in found if not any(explains(other, one) for other in found)]
    return report.model_copy(update={"findings": left})


def explains(cause: Finding, finding: Finding) -> bool:
    if JAIL.includes(finding):  # fail2ban's files differ, or it has not loaded them
        stale = SERVICE.includes(cause) and cause.thing == FAIL2BAN
        return stale or lies_at(cause.thing, "/etc/fail2ban")
    if GRANT.includes(finding) and CODE.includes(cause):  # a routine is dropped with its grants
        return finding.thing.partition(" ")[2] == cause.thing.partition(" ")[2]
    if KERNEL.includes(finding):  # a kernel of no package
        return cause.thing == f"/boot/vmlinuz-{finding.thing}"
    if HISTORY.includes(cause):  # a link among the files that a shell reads
        return finding.thing == cause.thing and not HISTORY.includes(finding)
    if SERVICE.includes(finding) and MODULE.includes(cause):
        version, sapi, _ = cause.thing.split(" ", 2)
        return f"/etc/php/{version}/{sapi}/conf.d" in finding.found
    if SERVICE.includes(finding):  # a Redis that differs from its files has not loaded them either
        differs = redis.SETTING.includes(cause) or redis.USER.includes(cause)
        return differs and finding.thing == Redis(cause.thing.split(" ")[0]).unit
    # A remedy for a hidden file would act on what is mounted.
    hides = MOUNT.includes(cause) and not MOUNT.includes(finding)
    return hides and lies_at(finding.thing, cause.thing)
