"""Runs that are killed, cut off or refused: what serves goes on serving, and the next run heals."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from project import Project, copy_code
from provisioned import STATE, Provisioned, machine
from relay import Relay

from lab.lab import Lab
from lab.server import LabServer

OPERATIONS = [
    "App home | Add the user app-{}",
    "App home | Write /var/www/app-{}",
    "App home | Write /var/www/app-{}'s storage",
    "Reach | Write /etc/stagecraft/reach/app-{}.nft",
    "Reach | Limit what app-{} connects to",
    "Database | Write the logins of app_{}",
    "Database | Create the database app_{} and its accounts",
    "Redis | Add the user redis-app-{}",
    "Redis | Write /etc/redis/redis-app-{}.conf",
    "Redis | Run Redis of app-{}",
    "App settings | Write /var/www/app-{}/shared/.env",
    "Logs | Make /var/log/php-fpm-app-{}",
    "Logs | Write /etc/systemd/system/logrotate@app-{}.service and its timer",
    "Logs | Rotate the logs of app-{}",
    "PHP-FPM | Write /etc/systemd/system/php-fpm@app-{}.socket",
    "PHP-FPM | Write /etc/php/8.4/fpm/app-{}",
    "PHP-FPM | Run PHP-FPM of app-{}",
    "PHP-FPM | Listen for PHP-FPM of app-{}",
    "Initial certificates | Point /etc/ssl/stagecraft/app-{} at a certificate",
    "nginx | Write the vhost of app-{}",
    "nginx | Run nginx",
]
"""What a run for one more environment on a server does, but for the last."""


def environment(server: LabServer, name: str) -> dict[str, Any]:
    """One small site, beside any number of others."""
    return {
        "server": server.name,
        "sites": {
            "app": {
                "domain": f"{name}.test",
                "redis": {"memory": "8mb"},
                "tls": {"issuer": "selfsigned"},
                "upload_limit": "2M",
                "php_fpm": {"memory": "2%", "max_children": 2},
            }
        },
    }


@pytest.fixture(scope="module")
def host(lab: Lab) -> Iterator[Provisioned]:
    """Brought from bare to serving by runs of which the first four were killed."""
    server = lab.boot("faults")
    project = Project(STATE / "projects/faults")
    project.write(all=machine(server, lab), first=environment(server, "first"))
    host = Provisioned(server, project, ["first"])
    interrupt_dpkg(host)
    kill_after(host, "first", "Packages | Run logrotate's timer")
    kill_after(host, "first", "Database server | Write /etc/mysql/mariadb.conf.d/90-stagecraft.cnf")
    kill_after(host, "first", "Database server | Run mariadb")
    project.apply("first")
    server.harvest()
    yield host
    lab.down("faults")


def declared(host: Provisioned, name: str) -> str:
    host.project.write(**{name: environment(host.server, name)})
    return name


def interrupt_dpkg(host: Provisioned) -> None:
    """Kills a run and the dpkg that it has started, so that packages stay half installed."""
    run = host.project.start("first", "-y")
    until = time.monotonic() + 200
    interrupt = "[ $(dpkg --audit | wc -l) -gt 20 ] && pkill -9 dpkg"
    while not host.succeeds(interrupt) and time.monotonic() < until:
        time.sleep(0.5)
    run.kill()
    run.communicate()
    host.ssh("pkill -9 apt-get; pkill -9 dpkg; true")
    assert host.ssh("dpkg --audit")


def kill_after(host: Provisioned, name: str, operation: str) -> None:
    host.project.kill_after(operation, name)


def heals(host: Provisioned, name: str) -> None:
    """One run converges, the next has nothing to do, and the site serves."""
    assert host.project.apply(name)
    assert host.project.plan(name) == []
    assert host.web.get(f"https://{name}.test/health").status == 200


def test_interrupted_packages_are_completed(host: Provisioned) -> None:
    assert host.ssh("dpkg --audit") == ""
    assert host.project.plan("first") == []
    assert host.web.get("https://first.test/health").status == 200


UNPACKING, DONE = "install reinstreq half-installed", "install ok installed"


@pytest.mark.parametrize(("package", "status"), [("acl", UNPACKING), ("openssl", DONE)])
def test_changes_that_dpkg_has_not_entered_are_completed(
    host: Provisioned, package: str, status: str
) -> None:
    """Cut off while it unpacked a package, and when it was done with one and not with the next."""
    host.ssh("dpkg --purge --force-depends acl")
    stanza = f"/^Package: {package}$/,/^$/"
    as_it_was = f"sed -n '{stanza} {{ s/^Status: .*/Status: {status}/; p }}'"
    host.ssh(f"{as_it_was} /var/lib/dpkg/status-old > /var/lib/dpkg/updates/0001")
    assert host.project.apply("first")
    assert host.ssh("dpkg --audit; ls /var/lib/dpkg/updates") == ""
    assert host.project.plan("first") == []


@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_run_killed_after_an_operation_is_healed_by_the_next(
    host: Provisioned, operation: str
) -> None:
    name = declared(host, f"killed{OPERATIONS.index(operation)}")
    kill_after(host, name, operation.format(name))
    heals(host, name)


def test_no_operation_is_left_out(host: Provisioned) -> None:
    """But for the last one: a run that has finished it has finished."""
    declared(host, "counted")
    operations = [operation.split(": ")[0] for operation in host.project.plan("counted")]
    assert [operation.format("counted") for operation in OPERATIONS] == operations[:-1]


@pytest.mark.parametrize(
    "operation", ["nginx | Remove the vhost of", "Removed sites | Remove php-fpm of"]
)
def test_a_removal_that_is_killed_is_finished_by_the_next_run(
    host: Provisioned, operation: str
) -> None:
    name = declared(host, f"leaving{len(operation)}")
    old = environment(host.server, f"old.{name}")["sites"]["app"]
    with host.project.edited(name, {"sites": {"old": old}}):
        host.project.apply(name)
    kill_after(host, name, f"{operation} old-{name}")
    heals(host, name)
    for left in (
        f"/etc/nginx/sites-available/old-{name}.conf",
        f"/etc/redis/redis-old-{name}.conf",
    ):
        assert not host.succeeds(f"[ -e {left} ]")
    assert not host.succeeds(f"systemctl is-active php-fpm@old-{name} redis-server@old-{name}")


def test_a_run_that_waits_for_dpkg_s_lock_goes_on(host: Provisioned) -> None:
    """Another apt holds it for some seconds."""
    other = "apt-get install -q -y --reinstall -o DPkg::Pre-Invoke::='sleep 6' tzdata"
    declared(host, "locked")
    host.ssh(f"systemd-run --quiet --unit=other-apt {other}; sleep 1.5")
    assert host.succeeds("systemctl is-active other-apt")
    with host.project.edited("locked", {"sites": {"app": {"php_extensions": ["gmp"]}}}):
        heals(host, "locked")


def test_a_database_server_that_cannot_start_is_a_clear_end(host: Provisioned) -> None:
    broken = "/etc/mysql/mariadb.conf.d/99-foreign.cnf"
    host.ssh(f"printf '[mariadbd]\\nnonsense = 1\\n' >{broken}; systemctl stop mariadb")
    planned = host.project.plan("first")
    run = host.project.pyinfra("first", "-y")
    host.ssh(f"rm {broken}; systemctl reset-failed mariadb")
    assert planned[0] == "Database server | Run mariadb: start, it is inactive"
    assert run.code == 1
    assert "unknown variable 'nonsense=1'" in run.output
    heals(host, "first")


def test_a_full_disk_leaves_the_old_files_and_what_serves(host: Provisioned) -> None:
    declared(host, "full")
    host.project.apply("full")
    files = "cd /etc/redis && ls -A | grep -v filler | xargs sha256sum"
    before = host.ssh(files)
    host.ssh(
        "cp -a /etc/redis /root/redis; mount -t tmpfs -o size=512k tmpfs /etc/redis;"
        " cp -a /root/redis/. /etc/redis;"
        " dd if=/dev/zero of=/etc/redis/filler bs=1k 2>/dev/null || true"
    )
    with host.project.edited("full", {"sites": {"app": {"redis": {"memory": "9mb"}}}}):
        run = host.project.pyinfra("full", "-y")
        after = host.ssh(files)
        host.ssh("umount /etc/redis; rm -r /root/redis")
        assert run.code == 1
        assert "No space left on device" in run.output
        assert after == before
        assert host.web.get("https://full.test/health").status == 200
        heals(host, "full")


def test_a_connection_cut_in_mid_upload_changes_nothing_and_is_healed(
    host: Provisioned, tmp_path: Path
) -> None:
    """The text that was on its way is larger than what the wire lets through."""
    name = declared(host, "cut")
    host.project.apply(name)
    before = host.ssh(f"sha256sum /var/www/app-{name}/shared/.env")
    long = {"sites": {"app": {"env": {"NOTES": "x" * 400_000}}}}
    with host.project.edited(name, long):
        with Relay(host.server.address, cut_to_server=300_000) as relay:
            wire = {"ssh_config": str(relay.ssh_config(host.server, tmp_path))}
            with host.project.edited("all", {"servers": {"faults": wire}}):
                run = host.project.pyinfra(name, "-y")
            assert relay.cuts
        assert run.code == 1
        assert host.ssh(f"sha256sum /var/www/app-{name}/shared/.env") == before
        assert host.web.get(f"https://{name}.test/health").status == 200
        heals(host, name)


def test_a_server_that_reboots_in_mid_run_is_healed_by_the_next(host: Provisioned) -> None:
    name = declared(host, "rebooted")
    run = host.project.start(name, "-y")
    assert run.stderr
    for line in run.stderr:
        if "Starting operation: Redis | Write" in line:
            break
    host.reboot()
    run.communicate(timeout=120)
    assert run.returncode == 1
    heals(host, name)


# --- Templates that somebody has broken ---


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy for somebody to break."""
    copy = tmp_path_factory.mktemp("repository")
    for name in ("stagecraft", "tasks", "templates"):
        copy_code(name, copy / name)
    return copy


@pytest.fixture
def broken(host: Provisioned, repository: Path) -> Any:
    """Runs a repository in which a line was added to a template."""

    def run(template: str, line: str, *arguments: str) -> Any:
        path = repository / "templates" / template
        text = path.read_text()
        path.write_text(f"{text}{line}\n")
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("PYTHONPATH", str(repository))
            run = host.project.pyinfra("first", *arguments)
        path.write_text(text)
        return run

    return run


@pytest.mark.parametrize(
    ("template", "line", "checker"),
    [
        ("php-fpm/php-fpm.conf.j2", "nonsense = 1", "php-fpm8.4 --test"),
        ("nginx/site.conf.j2", "nonsense;", "nginx -t"),
        ("redis/redis.conf.j2", "nonsense 1", "redis-server on a scratch socket"),
        ("database/server.cnf.j2", "nonsense = 1", "mariadbd --verbose --help"),
    ],
)
def test_what_a_service_s_checker_refuses_is_not_installed(
    host: Provisioned, broken: Any, template: str, line: str, checker: str
) -> None:
    files = "find /etc/php /etc/nginx /etc/redis /etc/mysql -type f -exec sha256sum {} + | sort"
    before = host.ssh(files)
    run = broken(template, line, "-y")
    assert run.code == 1
    assert f"refused by {checker}" in run.output
    assert f"comes from templates/{template}" in run.output
    assert "nonsense" in run.output
    assert host.ssh(files) == before
    assert host.web.get("https://first.test/health").status == 200
    assert host.project.plan("first") == []


@pytest.mark.parametrize(
    ("template", "line", "unit"),
    [
        ("database/server.cnf.j2", "datadir = /nonexistent", "mariadb.service"),
        ("redis/redis.conf.j2", "unixsocket /nonexistent/x", "redis-server@app-first.service"),
    ],
)
def test_what_a_service_does_not_start_with_is_put_back(
    host: Provisioned, broken: Any, template: str, line: str, unit: str
) -> None:
    """Its checker accepts it."""
    files = "find /etc/redis /etc/mysql -type f -exec sha256sum {} + | sort"
    before = host.ssh(files)
    run = broken(template, line, "-y")
    assert run.code == 1
    assert f"{unit} does not work with its new files; the old ones are restored" in run.output
    assert host.ssh(files) == before
    assert host.web.get("https://first.test/health").status == 200
    assert host.project.plan("first") == []


def test_a_site_keeps_its_settings_when_a_service_that_they_name_fails(
    host: Provisioned, broken: Any
) -> None:
    settings = "sha256sum /var/www/app-first/shared/.env"
    before = host.ssh(settings)
    with host.project.edited("first", {"sites": {"app": {"env": {"NEW": "value"}}}}):
        run = broken("redis/redis.conf.j2", "nonsense 1", "-y")
        assert run.code == 1
        assert "refused by redis-server" in run.output
        assert host.ssh(settings) == before
        assert host.project.apply("first")
        assert host.ssh(settings) != before
    host.project.apply("first")
    assert host.ssh(settings) == before


@pytest.mark.parametrize(
    ("line", "words"),
    [("{{ nobody }}", "'nobody' is undefined"), ("{% if %}", "Expected an expression")],
)
def test_a_template_that_cannot_be_rendered_ends_the_run_before_it_begins(
    host: Provisioned, broken: Any, line: str, words: str
) -> None:
    run = broken("nginx/site.conf.j2", line, "-y")
    assert run.code == 1
    assert re.search(rf"templates/nginx/site\.conf\.j2:\d+: {re.escape(words)}", run.output)
    assert "Traceback" not in run.output
    assert "Starting operation" not in run.output


def test_a_killed_run_leaves_no_process_on_the_server(host: Provisioned) -> None:
    assert host.succeeds("! pgrep -f '[i]nstall-tree|[t]ake-up|[i]nstall-packages'")
