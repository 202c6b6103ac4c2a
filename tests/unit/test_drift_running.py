"""How the check reads what runs, and what it makes of it."""

from __future__ import annotations

import os
import re
import subprocess
import time
from base64 import b64encode
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from stagecraft.drift.findings import Finding, Severity
from stagecraft.drift.judging import certificates
from stagecraft.drift.judging.running import access, database, redis, services, units
from stagecraft.drift.judging.running.access import other_rules
from stagecraft.drift.judging.running.kernel import kernel
from stagecraft.drift.judging.running.maintenance import maintenance
from stagecraft.drift.judging.running.services import not_as_recorded
from stagecraft.drift.judging.running.units import differing, loaded_units
from stagecraft.drift.looking.server import Declared
from stagecraft.engines import Engine
from stagecraft.engines.mariadb import MARIADB
from stagecraft.engines.mysql import MYSQL
from stagecraft.errors import ServerError
from stagecraft.facts import processes
from stagecraft.facts.access import CurrentAccess, CurrentAccessFact, FirewallFact
from stagecraft.facts.certificate_lifetimes import Lifetime, LifetimesFact
from stagecraft.facts.configuration import Configuration, ConfigurationFact
from stagecraft.facts.jails import JailsFact
from stagecraft.facts.kernel import (
    Kernel,
    KernelFact,
    KernelSetting,
    assignment,
)
from stagecraft.facts.maintenance import Left, MaintenanceFact
from stagecraft.facts.package_files import PackageFilesFact
from stagecraft.facts.processes import Processes, ProcessesFact
from stagecraft.facts.redis import RedisFact
from stagecraft.facts.services import Unit
from stagecraft.facts.units import Units, UnitsFact
from stagecraft.facts.unpackaged import UnpackagedFile, UnpackagedFilesFact
from stagecraft.facts.variables import (
    HIDDEN,
    SECRETS,
    Variable,
    VariablesFact,
)
from stagecraft.manifest import PathRecord
from stagecraft.run import Run
from stagecraft.seen import Service
from stagecraft.services import MAINTENANCE
from stagecraft.settings import Host, Server, Site
from stagecraft.settings.host import Upgrades

RUNNING = Unit("loaded", "active", "enabled")
NGINX_CONF = "/etc/nginx/nginx.conf"
SITES = "/etc/nginx/sites-enabled/"
SHOP = "/etc/nginx/sites-available/shop.conf"
FPM = "php-fpm@askpro-staging.service"

SITE = SimpleNamespace(
    name="askpro-staging", environment="staging", domain="askpro.test", php="8.4"
)
DECLARED: Any = SimpleNamespace(
    sites=[SITE], machine=None, paths=frozenset({"/etc/systemd/system/ours.service"})
)


def things(findings: Any) -> list[str]:
    return [finding.thing for finding in findings]


@pytest.fixture
def declared(site: Site, make_environment: Any, make_machine: Any) -> Declared:
    host = Host.model_construct(firewall=None)
    server = Server.model_construct(name="askpro-1", host=host)
    environment = make_environment(site).model_copy(update={"server": server})
    return Declared(environment, (environment,), {}, make_machine())


def without_host(declared: Declared) -> Declared:
    server = declared.settings.model_copy(update={"host": None})
    return replace(declared, environment=declared.environment.model_copy(update={"server": server}))


# --- Processes ---


def printed(*rows: tuple[object, ...]) -> list[str]:
    """As the fact's command does."""
    return [b64encode("".join(f"{word}\0" for row in rows for word in row).encode()).decode()]


def test_what_processes_run_is_told_by_unit() -> None:
    output = printed(
        ("loaded", "nginx.service", "10.25"),
        ("loaded", FPM, "31.00"),
        ("deleted", "nginx.service", "/usr/lib/libssl.so.3"),
        ("deleted", "nginx.service", "/usr/sbin/nginx"),
        ("foreign", FPM, "/root/a\tb.so (deleted)"),
        ("variable", "cron.service", "LD_PRELOAD=/root/x.so"),
        ("complete", "code", ""),
    )
    assert ProcessesFact().process(output) == Processes(
        loaded={"nginx.service": 10.25, FPM: 31.0},
        deleted={"nginx.service": frozenset({"/usr/lib/libssl.so.3", "/usr/sbin/nginx"})},
        foreign={FPM: frozenset({"/root/a\tb.so (deleted)"})},
        variables={"cron.service": frozenset({"LD_PRELOAD=/root/x.so"})},
        parts=frozenset({"code"}),
    )


def test_without_processes_nothing_was_loaded() -> None:
    assert ProcessesFact().process([]) == Processes()


def test_a_part_that_failed_on_the_server_is_unknown() -> None:
    found = Processes(parts=frozenset({"loaded", "code"}))
    assert found.complete("loaded", "code") is found
    with pytest.raises(ServerError, match="failed on the server while it read: variables"):
        found.complete("code", "variables")


PARTS = ["code", "loaded", "variables"]


def parts(shell: Any, environment: str = "") -> list[str]:
    script = Path(processes.__file__).with_suffix(".sh")
    output = shell(f"{environment} sh {script} || true").stdout.splitlines()
    return sorted(ProcessesFact().process(output).parts)


def test_processes_of_this_machine_are_read_completely(shell: Any) -> None:
    assert parts(shell) == PARTS


@pytest.mark.parametrize(
    ("program", "failing"),
    [
        ("xargs", ["code", "variables"]),
        ("grep", ["code", "variables"]),
        ("awk", ["code", "loaded", "variables"]),
        ("sed", ["code", "loaded", "variables"]),
        ("sort", ["code"]),
        ("tr", ["code", "loaded", "variables"]),
    ],
)
def test_a_program_that_fails_makes_its_parts_incomplete(
    shell: Any, tmp_path: Path, program: str, failing: list[str]
) -> None:
    broken = tmp_path / program
    for ending in ("kill -9 $$", "exit 1"):
        broken.write_text(f"#!/bin/sh\n{ending}\n")
        broken.chmod(0o755)
        assert not set(failing) & set(parts(shell, f"PATH={tmp_path}:$PATH"))


STRANGE = Processes(
    foreign={"nginx.service": frozenset({"/root/x.so"}), "agent@1.service": frozenset({"/opt/a"})},
    variables={
        "nginx.service": frozenset({"LD_PRELOAD=/root/x.so"}),
        "dbus.service": frozenset({"PATH=/root"}),
    },
    parts=frozenset({"code", "variables"}),
)


@pytest.fixture
def loaded_code(
    monkeypatch: pytest.MonkeyPatch, answers: Any, declared: Declared
) -> Callable[..., list[Finding]]:
    """Of STRANGE, where somebody else has brought the unit agent@.service."""
    files = [
        UnpackagedFile("/etc/systemd/system/agent@.service"),
        # Says nothing of where the unit comes from.
        UnpackagedFile("/etc/systemd/system/multi-user.target.wants/nginx.service", "link"),
    ]

    def of(*environment: str, host: bool = True) -> list[Finding]:
        nginx = Service("nginx.service", Unit(), "", follows=False)
        monkeypatch.setattr(services, "this_run", lambda: Run(services=[nginx]))
        answers[ProcessesFact] = STRANGE
        answers[UnpackagedFilesFact] = files
        answers[UnitsFact] = Units(environment=environment)
        return list(services.loaded_code(declared if host else without_host(declared)))

    return of


def test_code_that_a_service_has_loaded_from_nowhere_is_one_finding(loaded_code: Any) -> None:
    dbus, nginx = loaded_code()
    assert (dbus.thing, dbus.remedy) == ("dbus.service", "reboot")
    assert nginx.thing == "nginx.service"
    assert nginx.found == (
        "has loaded /root/x.so, which is in no package;"
        " runs with LD_PRELOAD=/root/x.so, which its unit does not set"
    )
    assert nginx.remedy == "systemctl restart nginx.service"


def test_systemd_forgets_what_it_would_have_a_service_load_again(loaded_code: Any) -> None:
    [*_, nginx] = loaded_code("LD_PRELOAD")
    assert nginx.remedy == (
        "systemctl unset-environment LD_PRELOAD && systemctl restart nginx.service"
    )


def test_without_host_only_our_services_are_looked_at(loaded_code: Any) -> None:
    assert things(loaded_code(host=False)) == ["nginx.service"]


def test_what_fail2ban_runs_with_is_told_by_setting(
    monkeypatch: pytest.MonkeyPatch, answers: Any
) -> None:
    output = printed(
        ("sshd", "maxretry", "5", "500"),
        ("gone", "jail", "True", "False"),
        ("own", "jail", "False", "True"),
    )
    answers[JailsFact] = JailsFact().process(output)
    fail2ban = Service("fail2ban.service", RUNNING, "", follows=False)
    run = Run(services=[fail2ban])
    monkeypatch.setattr(access, "this_run", lambda: run)
    gone, own, maxretry = access.jails(DECLARED)
    assert (maxretry.thing, maxretry.expected) == ("sshd maxretry", "5, by its files")
    assert maxretry.found == "was set to 500 while fail2ban runs"
    assert (gone.thing, gone.found) == ("gone", "somebody has stopped it")
    assert (own.thing, own.found) == ("own", "somebody has added it")
    # The plan tells of one that is down or whose files differ.
    for other in (replace(fail2ban, present=Unit()), replace(fail2ban, follows=True)):
        run.services = [other]
        assert list(access.jails(DECLARED)) == []


NGINX = ConfigurationFact().process(
    printed(
        ("nginx.service", 9.5, NGINX_CONF),
        ("nginx.service", 9.5, f"{SITES}zz-shop.conf"),
        ("nginx.service", 9.5, SITES),
        ("sum", "a", NGINX_CONF),
        ("sum", "a", SHOP),
    )
)


def recorded(path: str, sum: str = "a") -> PathRecord:
    kind = "link" if path.startswith(SITES) else "file"
    return PathRecord("", "nginx", kind, path, "root", "root", "644", sum)


@pytest.mark.parametrize(
    ("records", "paths"),
    [
        ([recorded(SHOP), recorded(f"{SITES}zz-shop.conf")], []),
        ([recorded(SHOP, "b")], [SHOP]),
        ([recorded(SHOP, "b"), recorded(SHOP)], []),
        ([recorded(f"{SITES}zz-other.conf")], [f"{SITES}zz-other.conf"]),
        ([recorded("/etc/mysql/mariadb.conf.d/90-stagecraft.cnf")], []),
    ],
)
def test_what_nginx_does_not_load_as_runs_left_it(
    records: list[PathRecord], paths: list[str]
) -> None:
    assert not_as_recorded(NGINX, records) == set(paths)


CONF_D = "/etc/php/8.4/fpm/conf.d/"


@pytest.fixture
def stale(
    monkeypatch: pytest.MonkeyPatch, answers: Any, declared: Declared
) -> Callable[..., list[Finding]]:
    """What is said of a service, by what it loads, when it has loaded it, and what is undeclared,
    all with their times."""

    def of(
        service: Service,
        loads: Mapping[str, float] | None = None,
        loaded: float = 0,
        undeclared: Mapping[str, float] | None = None,
    ) -> list[Finding]:
        monkeypatch.setattr(services, "this_run", lambda: Run(services=[service]))
        monkeypatch.setattr(services, "require_plan", lambda: None)
        files = [UnpackagedFile(path, since=at) for path, at in (undeclared or {}).items()]
        parts = frozenset({"loaded"})
        answers[ProcessesFact] = Processes(loaded={service.unit: loaded}, parts=parts)
        answers[ConfigurationFact] = Configuration({service.unit: dict(loads or {CONF_D: 0})})
        answers[UnpackagedFilesFact], answers[PackageFilesFact] = files, {}
        return list(services.services(declared))

    return of


@pytest.mark.parametrize(
    ("changed", "others", "found"),
    [
        (9.9, {}, False),
        (10.1, {}, True),
        # Somebody has put a file there, which is another finding.
        (10.1, {f"{CONF_D}99-debug.ini": 10.1}, False),
        # And has taken another one away, after that.
        (10.2, {f"{CONF_D}99-debug.ini": 10.1}, True),
    ],
)
def test_a_directory_changed_since_it_was_loaded(
    stale: Any, changed: float, others: dict[str, float], found: bool
) -> None:
    fpm = Service(FPM, RUNNING, "", follows=False)
    assert bool(stale(fpm, {CONF_D: changed}, loaded=10, undeclared=others)) == found


def test_a_service_is_stale_by_what_it_has_not_loaded(stale: Any) -> None:
    fpm = Service(FPM, RUNNING, "", follows=False)
    [found] = stale(fpm, {CONF_D: 11, f"{CONF_D}20-gd.ini": 10})
    assert found.thing == FPM
    assert found.found == f"may still run what was removed from {CONF_D}"
    assert found.remedy == f"systemctl reload {FPM}"
    assert stale(fpm) == []
    # The plan tells of what is down, and of files that it changes.
    assert stale(replace(fpm, follows=True), {CONF_D: 11}) == []
    assert stale(replace(fpm, present=Unit()), {CONF_D: 11}) == []


@pytest.mark.parametrize(
    ("changed", "step", "others"),
    [
        (f"{CONF_D}20-gmp.ini", "reload", True),
        (CONF_D.rstrip("/"), "reload", True),
        # Whatever it has to take up beside that, only a restart does.
        (f"{CONF_D}20-gmp.ini", "restart", False),
        ("/etc/php/8.4/fpm/askpro-staging", "reload", False),
    ],
)
def test_what_php_reads_and_others_write_is_told_by_them_too(
    stale: Any, changed: str, step: str, others: bool
) -> None:
    """Whether it is stale is judged by what it has loaded then, which is new here."""
    service = Service(FPM, replace(RUNNING, newer=changed), step, follows=False)
    assert stale(service, {CONF_D: 1}, loaded=2) == [] if others else stale(service)


@pytest.mark.parametrize(
    ("found", "complete"),
    [
        (
            Configuration({"nginx.service": {NGINX_CONF: 1}, FPM: {CONF_D: 1}}, {NGINX_CONF: "a"}),
            True,
        ),
        (Configuration({"nginx.service": {NGINX_CONF: 1}}, {NGINX_CONF: "a"}), False),
        (Configuration({"nginx.service": {NGINX_CONF: 1}, FPM: {CONF_D: 1}}), False),
        (Configuration(), False),
    ],
)
def test_configuration_that_could_not_be_read_is_unknown(
    found: Configuration, complete: bool
) -> None:
    with nullcontext() if complete else pytest.raises(ServerError, match="configuration"):
        assert found.complete(["nginx.service", FPM]) is found


def test_a_service_is_told_what_systemd_has_to_read_first(stale: Any) -> None:
    unit = replace(RUNNING, outdated=True, restart_due=True)
    [found] = stale(Service("x.service", unit, "restart", follows=False))
    assert found.remedy == "systemctl daemon-reload && systemctl restart x.service"
    read = Service("x.service", replace(RUNNING, newer="/etc/x"), "reload", follows=False)
    [found] = stale(read)
    assert found.remedy == "systemctl reload x.service"
    assert "/etc/x" in found.found
    # A finding of the file itself explains it.
    assert stale(read, undeclared={"/etc/x": 1}) == []


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
def test_only_services_that_can_be_restarted_run_old_files(
    answers: Any, unit: str, remedy: str
) -> None:
    paths = frozenset({"/", "/usr/lib/a.so", "/usr/lib/b.so", "/usr/lib/c.so", "/usr/lib/d.so"})
    answers[ProcessesFact] = Processes(deleted={unit: paths}, parts=frozenset({"code"}))
    found = list(services.replaced_files(DECLARED))
    assert [finding.remedy for finding in found] == ([remedy] if remedy else [])
    for finding in found:
        assert finding.found.endswith(": a.so, b.so, c.so and 2 more")


# --- Database ---

ROWS = [
    "variable\tmax_connections\t10\t151\t\t0\t0",
    "variable\tinnodb_buffer_pool_size\t1261436928\t134217728\t\t0\t0",
    "variable\tskip_name_resolve\tON\tOFF\t\t0\t0",
    "variable\tlong_query_time\t10.000000\t10.0\t\t0\t0",
    "variable\tslow_query_log\tON\tOFF\tanna@localhost\t1795262639\t0",
    "variable\tgtid_slave_pos\t0-1-7\t\t\t0\t0",
    f"variable\tinit_connect\t{HIDDEN}\t\t\t0\t0",
    "option\t--max-connections=500",
    "option\t--innodb-buffer-pool-size=1203M",
    "option\t--skip-name-resolve",
]


def of_variables(answers: Any, rows: list[str], engine: Engine) -> list[Finding]:
    answers[VariablesFact] = VariablesFact().process(rows)
    declared: Any = SimpleNamespace(settings=SimpleNamespace(engine=engine))
    return list(database.database_variables(declared))


def test_only_what_the_next_start_would_change_is_set(answers: Any) -> None:
    found = of_variables(answers, ROWS, MARIADB)
    assert things(found) == ["max_connections", "slow_query_log", "init_connect"]
    connections, slow, init = found
    assert connections.expected == "500, by its options"
    assert connections.remedy == 'mariadb -e "SET GLOBAL max_connections = 500"'
    assert (slow.who, slow.expected) == ("anna@localhost", "OFF, the default")
    assert slow.since
    assert init.expected == "the value at the start of the server"


def test_mysql_tells_no_default_and_of_sessions_too(answers: Any) -> None:
    rows = [
        "variable\tmax_connections\t10\tNULL\troot@localhost\t1\t0",
        "variable\tlong_query_time\t10.000000\tNULL\troot@localhost\t1\t0",
        "variable\tsql_log_off\tOFF\tNULL\troot@localhost\t1\t0",
        "option\t--max-connections=500",
        "option\t--long-query-time=10",
    ]
    connections, *_ = VariablesFact().process(rows)
    assert connections == Variable("max_connections", "10", "500", None, "root@localhost", 1)
    [found] = of_variables(answers, rows, MYSQL)
    assert found.remedy == 'mysql -e "SET GLOBAL max_connections = 500"'


def test_what_mysql_keeps_for_its_next_start_is_found_whatever_runs(answers: Any) -> None:
    rows = ["variable\twait_timeout\t3600\tNULL\t\t0\t1", "option\t--wait-timeout=3600"]
    [found] = of_variables(answers, rows, MYSQL)
    assert found.remedy.startswith("mysql --execute='RESET PERSIST IF EXISTS wait_timeout' && ")


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
    return RedisFact().process([*file, *lines])["a"]


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
    differences = redis.differences("a", instance(*lines), "staging")
    assert [(differs.kind, differs.thing) for differs in differences] == found


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
    refuses, down = (RedisFact().process([file, *more])["a"] for more in (["refuses\ta"], []))
    [told] = redis.differences("a", refuses, "staging")
    assert (told.kind, told.thing) == ("Redis user", "a stagecraft")
    assert list(redis.differences("a", down, "staging")) == []


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
        (TABLE, [("inet stagecraft", "its rules are in a different order")]),
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
    rules = FirewallFact().process(
        ["== live", *live.splitlines(), "== declared", *TABLE.splitlines()]
    )
    findings: list[Finding] = list(other_rules(rules))
    assert [(finding.thing, finding.found) for finding in findings] == found
    assert {finding.severity for finding in findings} == {Severity.CRITICAL}


# --- Closed sites ---


def test_a_site_that_no_release_keeps_closed_is_told_by_its_environment(answers: Any) -> None:
    answers[MaintenanceFact] = [
        Left("askpro-staging", closed=True),
        Left("askpro-production", closed=True),
        Left("shop", closed=True),
        Left("note"),
    ]
    live = SimpleNamespace(name="askpro-production", environment="production")
    environment = SimpleNamespace(name="staging")
    declared: Any = SimpleNamespace(sites=[SITE, live], environment=environment)
    closed, *files = maintenance(declared)
    assert (closed.thing, closed.severity) == ("askpro-staging", Severity.CRITICAL)
    assert things(files) == [f"{MAINTENANCE}/shop", f"{MAINTENANCE}/note"]


@pytest.mark.parametrize(
    ("state", "found"), [("active", []), ("deactivating", []), ("inactive", ["a-staging", "b"])]
)
def test_a_site_is_closed_as_long_as_its_action_is_going_on(
    tmp_path: Path, state: str, found: list[str]
) -> None:
    (tmp_path / "a-staging").mkdir()
    (tmp_path / "a-staging/closed").touch()
    (tmp_path / "b").touch()
    script = MaintenanceFact().script(directory=str(tmp_path))
    path = with_program(tmp_path.parent / "bin", "systemctl", f"echo {state}")
    done = subprocess.run(
        ["sh", "-c", script], capture_output=True, text=True, check=True, env={"PATH": path}
    )
    left = MaintenanceFact().process(done.stdout.splitlines())
    assert sorted(one.name for one in left) == found
    assert [one.name for one in left if one.closed] == found[:1]


def with_program(directory: Path, name: str, script: str) -> str:
    """A PATH that begins with the directory, which has this program."""
    directory.mkdir(exist_ok=True)
    (directory / name).write_text(f"#!/bin/sh\n{script}\n")
    (directory / name).chmod(0o755)
    return f"{directory}:{os.environ['PATH']}"


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


def of_kernel(answers: Any, found: Kernel, *, reboots: bool = False) -> list[str]:
    answers[KernelFact] = found
    host = Host.model_construct(upgrades=Upgrades(reboot="04:00" if reboots else "never"))
    declared: Any = SimpleNamespace(settings=SimpleNamespace(host=host))
    return things(kernel(declared))


def test_the_last_file_decides_and_what_cannot_be_set_is_left_out(answers: Any) -> None:
    found = KernelFact().process(
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
    assert "kernel.sysrq" in of_kernel(answers, found)


@pytest.mark.parametrize(("value", "same"), [("438", "0x01b6"), ("0 1", "0\t1"), ("core", "core")])
def test_numbers_are_the_same_in_every_notation(answers: Any, value: str, same: str) -> None:
    setting = KernelSetting("x.y", value, same, "/etc/sysctl.d/x.conf")
    assert of_kernel(answers, Kernel(settings=(setting,))) == []


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
    monkeypatch: pytest.MonkeyPatch,
    answers: Any,
    running: str,
    installed: list[str],
    found: list[str],
) -> None:
    there = Kernel(running, dict.fromkeys(installed, 1000.0))
    monkeypatch.setattr(time, "time", lambda: 2000)
    assert of_kernel(answers, there) == found
    # A machine that reboots by itself has a day for it.
    assert of_kernel(answers, there, reboots=True) == []
    monkeypatch.setattr(time, "time", lambda: 1000 + 86401)
    assert of_kernel(answers, there, reboots=True) == found


# --- Units ---

UNIT_LINES = [
    "read\tUnitsLoadFinishTimestamp\tSat 2026-11-21 12:00:00.500000 UTC",
    "read\tUnitsLoadTimestamp\t",
    "failed\tId\ta.service",
    "failed\tResult\texit-code",
    "failed\tStateChangeTimestamp\tSat 2026-11-21 12:03:58.000000 UTC",
    "failed\tFragmentPath\t/etc/systemd/system/a.service",
    "failed\t",
    "failed\tId\tb.timer",
    "failed\tResult\tresources",
    "failed\tStateChangeTimestamp\t",
    "failed\tFragmentPath\t",
    "changed\t1795262400.4\t/etc/systemd/system/before.service",
    "changed\t1795262400.6\t/etc/systemd/system/ours.service",
    "changed\t1795262400.7\t/usr/lib/systemd/system/cron.service.d/x.conf",
    "changed\t1795262400.8\t/etc/systemd/system/nobodys.service",
    "until-boot\t1795262401.0\t/run/systemd/system.control/nginx.service.d/50-MemoryMax.conf",
]


def test_units_are_read() -> None:
    found = UnitsFact().process(UNIT_LINES)
    assert [(failure.unit, failure.result) for failure in found.failed] == [
        ("a.service", "exit-code"),
        ("b.timer", "resources"),
    ]
    assert "/etc/systemd/system/before.service" not in found.unread
    assert len(found.unread) == 3


def test_systemd_must_read_what_somebody_vouches_for() -> None:
    found = replace(UnitsFact().process(UNIT_LINES), until_boot={})
    assert things(differing(found, DECLARED)) == ["ours.service", "cron.service"]


def test_what_changes_a_unit_until_the_next_boot() -> None:
    found = replace(UnitsFact().process(UNIT_LINES), unread={})
    assert things(differing(found, DECLARED)) == ["nginx.service"]
    named_like_ours = "/run/systemd/system.control/nginx.service.d/stagecraft-revert.timer.conf"
    found = Units(until_boot={named_like_ours: 1.0})
    assert things(differing(found, DECLARED)) == ["nginx.service"]


def test_what_runs_without_its_file() -> None:
    lines = [
        "gone\tsync.timer\t/run/systemd/system/sync.timer",
        "gone\tminer.service\t-",
        "gone\tnginx.service\t/etc/systemd/system/nginx.service.d/x.conf",
    ]
    gone = UnitsFact().process(lines)
    left = list(differing(gone, DECLARED))
    assert [(f.thing, f.found, f.remedy.split(" && ")[0]) for f in left] == [
        (
            "sync.timer",
            "runs as /run/systemd/system/sync.timer said, which no longer exists",
            "systemctl stop sync.timer",
        ),
        (
            "miner.service",
            "runs as a file said, which no longer exists",
            "systemctl stop miner.service",
        ),
        (
            "nginx.service",
            "runs as /etc/systemd/system/nginx.service.d/x.conf said, which no longer exists",
            "systemctl daemon-reload",
        ),
    ]


def test_of_a_unit_that_is_not_as_declared_the_plan_tells(
    monkeypatch: pytest.MonkeyPatch, answers: Any
) -> None:
    lines = [*UNIT_LINES, "gone\tsync.timer\t-", "environment\tLD_PRELOAD"]
    answers[UnitsFact] = UnitsFact().process(lines)
    enabled = Unit("loaded", "active", "enabled")
    run = Run(services=[Service("ours.service", enabled, "", follows=False)])
    monkeypatch.setattr(units, "this_run", lambda: run)
    everything = ["ours.service", "cron.service", "nginx.service", "sync.timer", "LD_PRELOAD"]
    assert things(loaded_units(DECLARED)) == everything
    run.services = [
        Service("ours.service", enabled, "restart", follows=False),
        Service("nginx.service", enabled, "", follows=True),
        Service("sync.timer", Unit("loaded", "active", "disabled"), "", follows=False),
    ]
    assert things(loaded_units(DECLARED)) == ["cron.service", "LD_PRELOAD"]


CHANGED = Unit(active="active", newer="/etc/ssh/sshd_config.d/x.conf")


@pytest.mark.parametrize(
    ("sshd", "undeclared", "differing", "found", "step"),
    [
        (Unit(active="active", restart_due=True), [], [], "/etc/default/ssh", "restart"),
        (CHANGED, [], [], CHANGED.newer, "reload"),
        # Other findings tell of the file, or of what a run would change.
        (CHANGED, [CHANGED.newer], [], "", ""),
        (replace(CHANGED, newer="/etc/ssh/sshd_config.d"), [CHANGED.newer], [], "", ""),
        (CHANGED, [], ["/etc/ssh/sshd_config.d/00-stagecraft.conf"], "", ""),
    ],
)
def test_sshd_keeps_its_options_over_a_reload(
    monkeypatch: pytest.MonkeyPatch,
    answers: Any,
    declared: Declared,
    sshd: Unit,
    undeclared: list[str],
    differing: list[str],
    found: str,
    step: str,
) -> None:
    run = SimpleNamespace(differing_paths=lambda: set(differing))
    monkeypatch.setattr(access, "this_run", lambda: run)
    answers[CurrentAccessFact] = CurrentAccess(sshd=sshd)
    answers[UnpackagedFilesFact] = [UnpackagedFile(path) for path in undeclared]
    answers[PackageFilesFact] = {}
    findings = list(access.ways_in(declared))
    assert [finding.found for finding in findings] == [
        f"has not loaded {path} since it changed" for path in [found] if path
    ]
    assert [finding.remedy for finding in findings] == [
        f"sshd -t && systemctl {word} ssh.service" for word in [step] if word
    ]


# --- Certificates ---


@pytest.mark.parametrize(("served", "found"), [("AA", 0), ("", 0), ("BB", 1)])
@pytest.mark.parametrize("link_differs", [False, True])
def test_another_certificate_is_served(
    monkeypatch: pytest.MonkeyPatch,
    answers: Any,
    declared: Declared,
    served: str,
    found: int,
    link_differs: bool,
) -> None:
    """If a run would change the link, its finding tells of it."""
    [site] = declared.sites
    differing = {f"/etc/ssl/stagecraft/{site.name}"} if link_differs else set()
    run = SimpleNamespace(differing_paths=lambda: differing)
    monkeypatch.setattr(certificates, "this_run", lambda: run)
    answers[LifetimesFact] = {site.domain: Lifetime(0, 10, "AA", served)}
    stale = certificates.served_certificates(declared)
    assert things(stale) == [site.domain] * (found and not link_differs)
