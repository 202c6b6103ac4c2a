"""What is fast about a run changes nothing in it: the same plan, the same changes, the same end."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Iterator
from typing import TypeVar

import pytest
from project import Project, Run
from provisioned import STATE, Provisioned, machine, staging

from lab.lab import Lab

Result = TypeVar("Result")

EDITS = """
set -e
echo '# edited by hand' >> /etc/nginx/sites-available/askpro-staging.conf
rm /etc/redis/redis-shop-staging.conf
chmod 666 /var/www/askpro-staging/shared/.env
systemctl stop php-fpm@shop-staging
usermod --shell /bin/bash shop-staging
mariadb -e 'ALTER DATABASE askproai_staging COLLATE utf8mb4_general_ci'
mariadb -e 'REVOKE DELETE ON `askproai\\_staging`.* FROM askproai_staging@localhost'
"""

JOURNAL = re.compile(r"\] [A-Z][a-z]{2} \d+ \d+:\d+:\d+ \S+ \S+\[\d+\]: ")

TEAM = """
from io import StringIO
from pyinfra import host, logger
from pyinfra.facts.server import Hostname
from pyinfra.operations import apt, files, python, server
from stagecraft.facts.files import TreeFact

def read():
    logger.info("read: %s", host.get_fact(TreeFact, paths=["/root/synced/a"]))

logger.info("hostname: %s", host.get_fact(Hostname))
read()
python.call(function=read)
files.rsync(src="synced/", dest="/root/synced", flags=["-a"])
python.call(function=read)
apt.packages(packages=["tree"], _sudo=True)
files.put(src=StringIO("hello"), dest="/root/put", mode="640")
server.shell(commands=["id -un >>/root/shell"])
files.get(src="/root/put", dest="got")
"""
"""A verb that stands beside ours, of pyinfra's operations and facts, and of ours."""

KILL_SHELLS = """
for process in /proc/[0-9]*; do
    [ "$(tr '\\0' ' ' <$process/cmdline 2>/dev/null)" = 'sh ' ] || continue
    kill -9 ${process#/proc/} && echo killed
done
"""


@pytest.fixture(params=["trixie", "bookworm"])
def host(request: pytest.FixtureRequest) -> Provisioned:
    return request.getfixturevalue(request.param)


@pytest.fixture
def both(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], Result]], Result]:
    """Does something without and with the fast path, and gives the one result of both."""

    def run(action: Callable[[], Result]) -> Result:
        monkeypatch.setenv("STAGECRAFT_FAST", "no")
        stock = action()
        monkeypatch.delenv("STAGECRAFT_FAST")
        assert action() == stock
        return stock

    return run


ON_ONE_DEBIAN = pytest.mark.parametrize("host", ["bookworm"], indirect=True, scope="session")
"""What goes on in our own code alone; with the older sshd, and through sudo."""

Both = Callable[[Callable[[], object]], object]


def story(run: Run) -> list[str]:
    """What a run said of each operation, and of all else, but for times, process numbers, and
    what it quotes from the journal, where the lines of the run before stand as well."""
    assert "Traceback" not in run.output
    lines = [line for line in run.output.splitlines() if not JOURNAL.search(line)]
    return [f"exit code {run.code}", *(re.sub(r"\d+", "0", line) for line in lines)]


def test_the_plan_of_a_bare_server(lab: Lab, both: Both) -> None:
    """The last of three runs prefetches what to ask, the one before does not."""
    server = lab.boot("unprovisioned")
    project = Project(STATE / "projects/unprovisioned")
    project.write(all=machine(server, lab), staging=staging(server, "selfsigned"))
    assert both(lambda: project.plan("staging"))
    assert both(lambda: story(project.pyinfra("staging", "--dry", "--diff", "-v")))
    lab.down("unprovisioned")


def test_a_converged_server(host: Provisioned, both: Both) -> None:
    for environment in host.environments:
        assert both(lambda name=environment: host.project.plan(name)) == []
        assert both(lambda name=environment: host.project.apply(name)) == []


def test_what_changed_since_the_last_run(host: Provisioned, both: Both) -> None:
    host.project.plan("staging")
    host.ssh(EDITS)
    assert both(lambda: host.project.plan("staging"))
    both(lambda: story(host.project.pyinfra("staging", "--dry", "--diff", "-v")))

    def repaired() -> list[str]:
        host.ssh(EDITS)
        return story(host.project.pyinfra("staging", "-y"))

    host.project.apply("staging")
    both(repaired)
    assert host.project.plan("staging") == []


def until_it_asks(run: subprocess.Popen[str]) -> str:
    assert run.stderr
    said = ""
    while not said.endswith("Press enter to execute..."):
        character = run.stderr.read(1)
        assert character, said
        said += character
    return said


@pytest.fixture
def asking(host: Provisioned) -> Iterator[Callable[[], subprocess.Popen[str]]]:
    """Starts a run, and has it come as far as to ask whether to go on."""
    runs = []

    def start() -> subprocess.Popen[str]:
        run = host.project.start("staging")
        runs.append(run)
        until_it_asks(run)
        return run

    yield start
    for run in runs:
        run.kill()
        run.communicate()


def go_on(run: subprocess.Popen[str]) -> list[str]:
    stdout, stderr = run.communicate("\n", timeout=300)
    return story(Run(run.returncode, stdout, stderr))


@ON_ONE_DEBIAN
def test_what_changed_while_the_operator_read_the_plan(
    host: Provisioned, asking: Callable[[], subprocess.Popen[str]], both: Both
) -> None:
    def edited_and_repaired() -> list[str]:
        run = asking()
        host.ssh(EDITS)
        return go_on(run)

    both(edited_and_repaired)
    assert host.project.plan("staging") == []


@ON_ONE_DEBIAN
def test_a_killed_shell(
    host: Provisioned, asking: Callable[[], subprocess.Popen[str]], both: Both
) -> None:
    """The run goes on as pyinfra alone would."""
    killed = []

    def interrupted() -> list[str]:
        run = asking()
        killed.append(host.ssh(KILL_SHELLS))
        host.ssh(EDITS)
        return go_on(run)

    both(interrupted)
    assert killed == ["", "killed"]
    assert host.project.plan("staging") == []


@ON_ONE_DEBIAN
def test_a_run_that_fails_half_way(host: Provisioned, both: Both) -> None:
    """Something foreign in nginx's configuration fails its check, after other changes."""
    broken = "/etc/nginx/conf.d/broken.conf"

    def failed_and_healed() -> list[str]:
        host.ssh(f"{EDITS} echo nonsense > {broken}")
        try:
            failed = story(host.project.pyinfra("staging", "-y"))
            assert failed[0] == "exit code 1"
        finally:
            host.ssh(f"rm {broken}")
        planned = host.project.plan("staging")
        return [*failed, *planned, *story(host.project.pyinfra("staging", "-y"))]

    both(failed_and_healed)
    assert host.project.plan("staging") == []


@ON_ONE_DEBIAN
def test_stock_operations_and_facts(host: Provisioned, both: Both) -> None:
    directory = host.project.directory
    (directory / "team.py").write_text(TEAM)
    (directory / "synced").mkdir()
    (directory / "synced/a").write_text("a")

    host.ssh("apt-get install --yes --quiet rsync")

    def ran() -> list[str]:
        host.ssh("rm -rf /root/synced /root/put /root/shell; apt-get purge --yes --quiet tree")
        (directory / "got").unlink(missing_ok=True)
        options = ("--sudo", "--limit", host.server.name)
        plan = host.project.pyinfra("staging", "--dry", *options, verb="team.py")
        assert not host.succeeds("ls /root/put") and not (directory / "got").exists()
        done = go_on(host.project.start("staging", *options, verb="team.py"))
        assert host.ssh("cd /root; stat -c %a put; cat put synced/a shell") == "640\nhelloaroot"
        assert host.succeeds("dpkg --status tree") and (directory / "got").read_text() == "hello"
        return [*story(plan), *done]

    both(ran)


@ON_ONE_DEBIAN
@pytest.mark.parametrize(
    ("verb", "told"), [("exec -- cat /root/tabs", "\ta\n"), ("fact server.Os", '"Linux"')]
)
def test_stock_commands(host: Provisioned, both: Both, verb: str, told: str) -> None:
    host.ssh("printf '\ta\n' > /root/tabs")
    said = both(lambda: story(host.project.pyinfra("staging", verb=verb)))
    assert told in "\n".join(said)


@pytest.fixture
def channels(host: Provisioned) -> Iterator[Callable[[], int]]:
    """How many commands sshd has begun so far, this question included."""
    configuration = "/etc/ssh/sshd_config.d/verbose.conf"
    host.ssh(
        f"mkdir -p /etc/ssh/sshd_config.d; echo LogLevel VERBOSE > {configuration};"
        " systemctl reload ssh; sleep 1"
    )
    host.hang_up()  # sshd tells of new connections alone
    journal = "journalctl --sync; journalctl --quiet --unit=ssh"
    yield lambda: int(host.ssh(f"{journal} | grep -c 'Starting session'"))
    host.ssh(f"rm {configuration}; systemctl reload ssh")


@pytest.mark.parametrize("arguments", [["--dry"], ["-y"]])
def test_a_run_that_changes_nothing_needs_three_channels(
    host: Provisioned, channels: Callable[[], int], arguments: list[str]
) -> None:
    host.project.plan("staging")
    before = channels()
    assert host.project.pyinfra("staging", *arguments).code == 0
    assert channels() - before - 1 <= 3


@ON_ONE_DEBIAN
def test_a_stock_fact_needs_one_channel_more(
    host: Provisioned, channels: Callable[[], int]
) -> None:
    stock = "from pyinfra import host, local\nfrom pyinfra.facts.server import Os\n"
    text = f'{stock}host.get_fact(Os)\nlocal.include("deploy.py")\n'
    (host.project.directory / "stock.py").write_text(text)
    before = channels()
    assert host.project.pyinfra("staging", "--dry", verb="stock.py").code == 0
    assert channels() - before - 1 <= 4
