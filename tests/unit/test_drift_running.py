"""How the check reads what runs, and what it makes of it."""

from __future__ import annotations

import re
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from stagecraft.drift.findings import Finding, Severity
from stagecraft.drift.running import certificates, database, deleted, redis
from stagecraft.drift.running.access import other_rules
from stagecraft.drift.running.kernel import outdated, set_by_hand
from stagecraft.drift.running.services import stale_children, stale_nginx, stale_service
from stagecraft.drift.running.units import overridden, unread
from stagecraft.facts.access import parse_rules
from stagecraft.facts.configuration import Configuration, parse_configuration
from stagecraft.facts.kernel import Kernel, KernelSetting, assignment, parse_kernel
from stagecraft.facts.lifetimes import Lifetime
from stagecraft.facts.processes import Processes, parse_processes
from stagecraft.facts.redis import parse_instances
from stagecraft.facts.services import Unit
from stagecraft.facts.units import Units, parse_units
from stagecraft.facts.variables import (
    HIDDEN,
    SECRETS,
    Variable,
    VariablesFact,
    parse_variables,
)
from stagecraft.operations.services import Service

NGINX_CONF = "/etc/nginx/nginx.conf"
FPM = "php-fpm@askpro-staging.service"

SITE = SimpleNamespace(
    name="askpro-staging", environment="staging", domain="askpro.test", php="8.4"
)
DECLARED: Any = SimpleNamespace(
    sites=[SITE], machine=None, paths=frozenset({"/etc/systemd/system/ours.service"})
)


def things(findings: Any) -> list[str]:
    return [finding.thing for finding in findings]


# --- Processes ---


def test_the_oldest_worker_counts() -> None:
    lines = [
        "worker\t-\t20.5",
        "worker\t-\t10.25",
        f"child\t{FPM}\t31.00",
        f"child\t{FPM}\t30.00",
        "deleted\tnginx.service\t/usr/lib/libssl.so.3",
        "deleted\tnginx.service\t/usr/sbin/nginx",
    ]
    assert parse_processes(lines) == Processes(
        nginx=10.25,
        php_fpm={FPM: 30.0},
        deleted={"nginx.service": frozenset({"/usr/lib/libssl.so.3", "/usr/sbin/nginx"})},
    )


def test_without_processes_nothing_started() -> None:
    assert parse_processes([]) == Processes()


def configuration(changed: float, sum: str = "a") -> Configuration:
    return parse_configuration([f"nginx\t{changed}\t{NGINX_CONF}", f"sum\t{sum}\t{NGINX_CONF}"])


@pytest.mark.parametrize(
    ("changed", "recorded", "found"),
    [
        (9.99, {}, 0),
        (10.01, {}, 1),
        (10.01, {NGINX_CONF: "a"}, 1),
        # As another text than a run has installed it is a finding of its own.
        (10.01, {NGINX_CONF: "b"}, 0),
    ],
)
def test_nginx_is_stale_when_a_file_is_newer_than_its_workers(
    changed: float, recorded: dict[str, str], found: int
) -> None:
    stale = list(stale_nginx(Processes(nginx=10), configuration(changed), recorded))
    assert things(stale) == ["nginx.service"] * found


def test_nginx_that_does_not_run_is_not_stale() -> None:
    assert list(stale_nginx(Processes(), configuration(10.01), {})) == []


def test_php_fpm_is_stale_by_its_children_and_its_own_version() -> None:
    processes = Processes(php_fpm={FPM: 10})
    shared = Configuration(php={"/etc/php/8.4/fpm/php.ini": 11, "/etc/php/8.2/fpm/php.ini": 12})
    [found] = stale_children(FPM, processes, shared, DECLARED)
    assert (found.thing, found.environment) == (FPM, "staging")
    assert "/etc/php/8.4/fpm/php.ini" in found.found
    older = Configuration(php={"/etc/php/8.4/fpm/php.ini": 9})
    assert list(stale_children(FPM, processes, older, DECLARED)) == []
    assert list(stale_children("ssh.service", processes, shared, DECLARED)) == []


def test_a_service_is_told_what_systemd_has_to_read_first() -> None:
    unit = Unit("loaded", "active", "enabled", outdated=True, restart_due=True)
    found = stale_service(Service("x.service", unit, "restart", follows=False), DECLARED)
    assert found.remedy == "systemctl daemon-reload && systemctl restart x.service"
    read = replace(unit, outdated=False, newer="/etc/x")
    found = stale_service(Service("x.service", read, "reload", follows=False), DECLARED)
    assert found.remedy == "systemctl reload x.service"
    assert "/etc/x" in found.found


@pytest.mark.parametrize(
    ("unit", "remedy"),
    [
        ("nginx.service", "systemctl restart nginx.service"),
        ("init.scope", "systemctl daemon-reexec"),
        ("session-4.scope", ""),
        ("user@0.service", ""),
        ("dbus.service", ""),
        ("docker-1a2b.scope", ""),
    ],
)
def test_only_services_that_can_be_restarted_run_old_files(unit: str, remedy: str) -> None:
    paths = frozenset({"/", "/usr/lib/a.so", "/usr/lib/b.so", "/usr/lib/c.so", "/usr/lib/d.so"})
    found = list(deleted.outdated({unit: paths}, DECLARED))
    assert [finding.remedy for finding in found] == ([remedy] if remedy else [])
    for finding in found:
        assert finding.found.endswith(": a.so, b.so, c.so and 2 more")


# --- Database ---

ROWS = [
    "variable\tmax_connections\t10\t151\t\t0",
    "variable\tinnodb_buffer_pool_size\t1261436928\t134217728\t\t0",
    "variable\tskip_name_resolve\tON\tOFF\t\t0",
    "variable\tlong_query_time\t10.000000\t10.0\t\t0",
    "variable\tslow_query_log\tON\tOFF\tanna@localhost\t1795262639",
    "variable\tgtid_slave_pos\t0-1-7\t\t\t0",
    f"variable\tinit_connect\t{HIDDEN}\t\t\t0",
    "option\t--max-connections=500",
    "option\t--innodb-buffer-pool-size=1203M",
    "option\t--skip-name-resolve",
]


def test_only_what_the_next_start_would_change_is_set() -> None:
    found = list(database.changed(parse_variables(ROWS), "mariadb"))
    assert things(found) == ["max_connections", "slow_query_log", "init_connect"]
    connections, slow, init = found
    assert connections.expected == "500, by its options"
    assert connections.remedy == 'mariadb -e "SET GLOBAL max_connections = 500"'
    assert (slow.who, slow.expected) == ("anna@localhost", "OFF, the default")
    assert slow.since
    assert init.expected == "what the server started with"


def test_mysql_tells_no_default_and_of_sessions_too() -> None:
    rows = [
        "variable\tmax_connections\t10\tNULL\troot@localhost\t1",
        "variable\tlong_query_time\t10.000000\tNULL\troot@localhost\t1",
        "variable\tsql_log_off\tOFF\tNULL\troot@localhost\t1",
        "option\t--max-connections=500",
        "option\t--long-query-time=10",
    ]
    connections, *_ = variables = parse_variables(rows)
    assert connections == Variable("max_connections", "10", "500", None, "root@localhost", 1)
    [found] = database.changed(variables, "mysql")
    assert found.remedy == 'mysql -e "SET GLOBAL max_connections = 500"'


def test_a_secret_is_hidden_by_the_server_itself() -> None:
    for name in ("wsrep_sst_auth", "init_connect", "report_password", "aria_encrypt_secret"):
        assert re.search(SECRETS, name)
    assert not re.search(SECRETS, "max_connections")
    for engine in ("mariadb", "mysql"):
        assert f"REGEXP '\"'\"'{SECRETS}" in VariablesFact().command(engine)


# --- Redis ---


def instance(*lines: str) -> Any:
    file = [
        "file-user\ta\tuser default off",
        "file-user\ta\tuser a on #1 ~a_* &a_* +@all -@admin",
        "file-setting\ta\tmaxmemory\t64mb",
        'file-setting\ta\tsave\t""',
        "answers\ta",
        "setting\ta\treplicaof\t",
    ]
    return parse_instances([*file, *lines])["a"]


USERS = (
    "user\ta\tuser a on sanitize-payload #1 ~a_* resetchannels &a_* +@all -@admin",
    "user\ta\tuser default off sanitize-payload resetchannels -@all",
)
SETTINGS = ("setting\ta\tmaxmemory\t67108864", "setting\ta\tsave\t")


@pytest.mark.parametrize(
    ("lines", "found"),
    [
        ((*USERS, *SETTINGS), []),
        ((*USERS, SETTINGS[0], "setting\ta\tsave\t3600 1"), [("Redis setting", "a save")]),
        ((*USERS, *SETTINGS, "setting\ta\treplicaof\tb 1"), [("Redis setting", "a replicaof")]),
        ((USERS[0], *SETTINGS), [("Redis user", "a default")]),
        ((*USERS, *SETTINGS, "user\ta\tuser evil on nopass +@all"), [("Redis user", "a evil")]),
        ((USERS[0].replace("#1", "#2"), USERS[1], *SETTINGS), [("Redis user", "a a")]),
        ((USERS[0].replace("~a_*", "~*"), USERS[1], *SETTINGS), [("Redis user", "a a")]),
    ],
)  # fmt: skip
def test_redis_differs_by_settings_and_users(lines: Any, found: Any) -> None:
    differences = redis.differences_of("a", instance(*lines))
    assert [named for named, _, _ in differences] == found


CATEGORIES = {
    "admin": {"config|set", "acl|list"},
    "dangerous": {"config|set", "acl|list", "flushdb", "keys", "function|load"},
}


@pytest.mark.parametrize(
    ("now", "as_in_its_file"),
    [
        ("on +@all -@admin -@dangerous +flushdb -function", True),
        ("on resetchannels +@all -@admin -keys -function", True),  # Redis 7.0's words
        ("on +@all -@admin -function", False),
        ("on +@all", False),
        ("on -@all +get", False),
        ("on +@all -@admin -@dangerous +flushdb -function +keys", False),
        ("off +@all -@admin -@dangerous +flushdb -function", False),
    ],
)
def test_rights_are_what_they_come_to(now: str, as_in_its_file: bool) -> None:
    declared = ["on", "+@all", "-@admin", "-@dangerous", "+flushdb", "-function"]
    same = redis.rights(now.split(), CATEGORIES) == redis.rights(declared, CATEGORIES)
    assert same == as_in_its_file


def test_a_command_more_is_another_right_of_who_may_nothing() -> None:
    assert redis.rights(["-@all", "+get"], {}) != redis.rights(["-@all"], {})
    assert redis.rights(["-@all", "+get", "-get"], {}) == redis.rights(["-@all"], {})


def test_an_instance_that_does_not_know_us_is_told_and_one_that_is_down_is_not() -> None:
    file = "file-setting\ta\tmaxmemory\t64mb"
    refuses, down = (parse_instances([file, *more])["a"] for more in (["refuses\ta"], []))
    [(named, _, _)] = redis.differences_of("a", refuses)
    assert named == ("Redis user", "a stagecraft")
    assert list(redis.differences_of("a", down)) == []


# --- The firewall ---

TABLE = """\
table inet stagecraft {
	chain input {
		type filter hook input priority filter; policy drop;
		ct state invalid drop
		tcp dport { 80, 443 } accept
	}
}
"""


@pytest.mark.parametrize(
    ("live", "found"),
    [
        (TABLE, [("inet stagecraft", "its rules stand in another order")]),
        ("", [("inet stagecraft", "it is not loaded: nothing is filtered")]),
        (
            TABLE.replace("\t\tct", "\t\ttcp dport 3306 accept\n\t\tct"),
            [("chain input: tcp dport 3306 accept", "somebody has added it")],
        ),
        (
            TABLE.replace("\t\tct state invalid drop\n", ""),
            [("chain input: ct state invalid drop", "somebody has deleted it")],
        ),
        (
            TABLE.replace("policy drop", "policy accept"),
            [("chain input: policy", "type filter hook input priority filter; policy accept;")],
        ),
        (
            TABLE.replace("\t\tct", "\t\tct state invalid drop\n\t\tct"),
            [("chain input: ct state invalid drop", "somebody has added it")],
        ),
    ],
)
def test_each_rule_is_told_by_itself(live: str, found: Any) -> None:
    rules = parse_rules(["== live", *live.splitlines(), "== declared", *TABLE.splitlines()])
    findings: list[Finding] = list(other_rules(rules))
    assert [(finding.thing, finding.found) for finding in findings] == found
    assert {finding.severity for finding in findings} == {Severity.CRITICAL}


# --- The kernel ---


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("net.ipv4.ip_forward = 1", ("net.ipv4.ip_forward", "1")),
        ("net/ipv4/tcp_rmem=4096\t131072 6291456", ("net.ipv4.tcp_rmem", "4096 131072 6291456")),
        ("-net.ipv4.ping_group_range = 0 2147483647", None),
        ("net.ipv4.conf.*.rp_filter = 2", None),
        ("# vm.swappiness = 1", None),
        ("-net.ipv4.conf.all.rp_filter", None),
    ],
)
def test_sysctl_d_is_read_as_systemd_reads_it(line: str, expected: Any) -> None:
    assert assignment(line) == expected


def test_the_last_file_decides_and_what_cannot_be_set_is_left_out() -> None:
    found = parse_kernel(
        [
            "running 6.1.0-40-amd64",
            "image 10.5 6.1.0-41-amd64",
            "declared # /usr/lib/sysctl.d/10-debian.conf",
            "declared kernel.sysrq = 0x01b6",
            "declared vm.swappiness = 60",
            "declared # /etc/sysctl.d/60-stagecraft.conf",
            "declared kernel.sysrq = 0",
            "live kernel/sysrq:438",
        ]
    )
    sysrq = KernelSetting("kernel.sysrq", "438", "0", "/etc/sysctl.d/60-stagecraft.conf")
    assert found == Kernel("6.1.0-40-amd64", {"6.1.0-41-amd64": 10.5}, (sysrq,))
    assert things(set_by_hand(found)) == ["kernel.sysrq"]


@pytest.mark.parametrize(("value", "same"), [("438", "0x01b6"), ("0 1", "0\t1"), ("core", "core")])
def test_numbers_are_the_same_in_every_notation(value: str, same: str) -> None:
    setting = KernelSetting("x.y", value, same, "/etc/sysctl.d/x.conf")
    assert list(set_by_hand(Kernel(settings=(setting,)))) == []


@pytest.mark.parametrize(
    ("running", "installed", "found"),
    [
        ("6.1.0-40-amd64", ["6.1.0-40-amd64", "6.1.0-9-amd64"], []),
        ("6.1.0-9-amd64", ["6.1.0-9-amd64", "6.1.0-40-amd64"], ["6.1.0-40-amd64"]),
        ("6.12.48+deb13-amd64", ["6.12.57+deb13-amd64"], ["6.12.57+deb13-amd64"]),
        ("6.1.0-40-cloud-amd64", ["6.1.0-41-amd64"], []),
        ("6.18.44-provider", [], []),
    ],
)
def test_a_newer_kernel_of_the_same_flavour_waits(
    running: str, installed: list[str], found: list[str]
) -> None:
    there = Kernel(running, dict.fromkeys(installed, 1000.0))
    assert things(outdated(there, 2000, reboots=False)) == found
    # A machine that reboots by itself has a day for it.
    assert things(outdated(there, 2000, reboots=True)) == []
    assert things(outdated(there, 1000 + 86401, reboots=True)) == found


# --- Units ---

UNIT_LINES = [
    "read\tUnitsLoadFinishTimestamp\tSat 2026-11-21 12:00:00.500000 UTC",
    "read\tUnitsLoadTimestamp\t",
    "failed\tId\ta.service",
    "failed\tResult\texit-code",
    "failed\tStateChangeTimestamp\tSat 2026-11-21 12:03:58.000000 UTC",
    "failed\t",
    "failed\tId\tb.timer",
    "failed\tResult\tresources",
    "failed\tStateChangeTimestamp\t",
    "changed\t1795262400.4\t/etc/systemd/system/before.service",
    "changed\t1795262400.6\t/etc/systemd/system/ours.service",
    "changed\t1795262400.7\t/usr/lib/systemd/system/cron.service.d/x.conf",
    "changed\t1795262400.8\t/etc/systemd/system/nobodys.service",
    "until-boot\t1795262401.0\t/run/systemd/system.control/nginx.service.d/50-MemoryMax.conf",
]


def test_units_are_read() -> None:
    found = parse_units(UNIT_LINES)
    assert [(failure.unit, failure.result) for failure in found.failed] == [
        ("a.service", "exit-code"),
        ("b.timer", "resources"),
    ]
    assert "/etc/systemd/system/before.service" not in found.unread
    assert len(found.unread) == 3


def test_systemd_must_read_what_somebody_vouches_for() -> None:
    found = parse_units(UNIT_LINES)
    assert things(unread(found, set(), DECLARED)) == ["ours.service", "cron.service"]
    assert things(unread(found, {"ours.service"}, DECLARED)) == ["cron.service"]


def test_what_changes_a_unit_until_the_next_boot() -> None:
    found = parse_units(UNIT_LINES)
    assert things(overridden(found, set(), DECLARED)) == ["nginx.service"]
    assert things(overridden(found, {"nginx.service"}, DECLARED)) == []
    ours = Units(until_boot={"/run/systemd/system/stagecraft-revert.timer.d/x.conf": 1.0})
    assert things(overridden(ours, set(), DECLARED)) == []


# --- Certificates ---


@pytest.mark.parametrize(("served", "found"), [("AA", 0), ("", 0), ("BB", 1)])
def test_another_certificate_is_served(served: str, found: int) -> None:
    site: Any = SITE
    stale = list(certificates.stale(site, Lifetime(0, 10, "AA", served)))
    assert things(stale) == ["askpro.test"] * found
