"""What another finding tells of already is not told again."""

from __future__ import annotations

import pytest

from stagecraft.drift.findings import Class, Finding, Kind, Report
from stagecraft.drift.judging.explained import without_consequences

SITE = "askpro-staging"
REDIS = f"redis-server@{SITE}.service"


def finding(kind: str, thing: str, class_: Class = Class.RUNNING) -> Finding:
    return Kind(class_, kind).finding(thing, found="", remedy="")


def changed(thing: str, kind: str = "file") -> Finding:
    return finding(kind, thing, Class.MANAGED)


def left(*findings: Finding) -> list[Finding]:
    return list(without_consequences(Report(findings=findings)).findings)


MOUNTED = finding("mount", "/etc/nginx")
JAIL = finding("jail", "sshd maxretry")


@pytest.mark.parametrize(
    ("cause", "consequence"),
    [
        (MOUNTED, changed("/etc/nginx")),
        (MOUNTED, finding("package file", "/etc/nginx/mime.types", Class.UNMANAGED)),
        (finding("service", "fail2ban.service"), JAIL),
        (changed("/etc/fail2ban/jail.d/stagecraft.local"), JAIL),
        (finding("Redis setting", f"{SITE} maxmemory"), finding("service", REDIS)),
        (finding("Redis user", f"{SITE} default"), finding("service", REDIS)),
    ],
)
def test_a_consequence_is_not_told_again(cause: Finding, consequence: Finding) -> None:
    assert left(consequence, cause) == [cause]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (MOUNTED, changed("/etc/nginx.conf")),
        (MOUNTED, changed("nginx.service", "service")),
        (MOUNTED, finding("mount", "/etc/nginx/conf.d")),
        (finding("service", "nginx.service"), JAIL),
        (finding("loaded code", "fail2ban.service"), JAIL),
        (changed("/etc/fail2ban-other"), JAIL),
        (finding("Redis setting", "askpro-production maxmemory"), finding("service", REDIS)),
        # The plan says that it is down.
        (finding("Redis setting", f"{SITE} maxmemory"), changed(REDIS, "service")),
    ],
)
def test_another_change_is_another_finding(one: Finding, other: Finding) -> None:
    assert left(one, other) == [one, other]


def test_what_is_hidden_explains_as_well() -> None:
    hidden = changed("/etc/fail2ban/jail.d/x")
    mounted = finding("mount", "/etc/fail2ban/jail.d")
    assert left(mounted, hidden, JAIL) == [mounted]
