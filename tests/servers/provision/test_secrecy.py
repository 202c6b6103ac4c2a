"""No secret leaves the files that it belongs in: not in output, argv, logs or temporary files."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event

import pytest
import yaml
from project import Run
from provisioned import Provisioned

from lab import containers
from stagecraft.secrets import secrets_for

DETAILED = ("-y", "--diff", "-vvv", "--debug-all")
HOMES = {
    "/var/www/askpro-staging/shared/.env",
    "/etc/stagecraft/database/askproai_staging.cnf",
    "/etc/stagecraft/database/askproai_staging_migrator.cnf",
}
"""Where a server keeps secrets in clear text."""

OTHERS = {".git", ".stagecraft", ".venv", "proc", "sys"}
"""Directories in which no run of ours leaves anything, or the secrets' own."""


@dataclass
class Leaks:
    """Looks for secrets, the old ones and the new ones, wherever a run could have left them."""

    host: Provisioned
    secrets: set[str] = field(default_factory=set)
    command_lines: set[str] = field(default_factory=set, repr=False)
    temporary: set[bytes] = field(default_factory=set, repr=False)
    since: float = field(default_factory=time.time)
    root: Path = field(init=False)

    def __post_init__(self) -> None:
        """`root` is what the server's own processes see, /run and /tmp included."""
        self.root = Path(f"/proc/{containers.leader(self.host.server.root)}/root")

    def rotate(self) -> None:
        """Forgets the site's secrets; a throwaway server makes them anew."""
        self.secrets |= secrets_of(self.host)
        path = self.host.project.directory / ".stagecraft/secrets/staging.yml"
        values = yaml.safe_load(path.read_text())
        values["askpro"] = {}
        path.write_text(yaml.safe_dump(values))
        assert not self.secrets & secrets_of(self.host)
        self.secrets |= secrets_of(self.host)

    def sample(self) -> None:
        """The command lines of this machine's processes, the server's among them, and what is in
        temporary files meanwhile."""
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            self.command_lines.add(read(path).replace(b"\0", b" ").decode(errors="replace"))
        paths = list(Path(tempfile.gettempdir()).iterdir())
        for directory in (self.root / "tmp", self.root / "var/tmp"):
            paths += [
                Path(parent, name) for parent, _, names in os.walk(directory) for name in names
            ]
        self.temporary.update(read(path) for path in paths if path.is_file())

    @contextmanager
    def watching(self) -> Iterator[None]:
        over = Event()

        def watch() -> None:
            while not over.wait(0.01):
                self.sample()

        with ThreadPoolExecutor(1) as watcher:
            watched = watcher.submit(watch)
            try:
                yield
            finally:
                over.set()
        watched.result()
        assert any("pyinfra" in line for line in self.command_lines)

    def in_text(self, text: str) -> bool:
        return any(secret in text for secret in self.secrets)

    def in_files(self, *directories: Path) -> set[Path]:
        """The files below that have been written since, and hold one."""
        patterns = [secret.encode() for secret in self.secrets]
        return {
            path
            for path in files_below(*directories, since=self.since)
            if any(pattern in content for content in [read(path)] for pattern in patterns)
        }

    def assert_none(self, *runs: Run) -> set[str]:
        """Returns the files on the server that now hold new ones, all of them `HOMES`."""
        for run in runs:
            assert not self.in_text(run.output)
        assert not self.in_text("\n".join(self.command_lines))
        assert not any(
            secret.encode() in text for secret in self.secrets for text in self.temporary
        )
        there = {f"/{path.relative_to(self.root)}" for path in self.in_files(self.root)}
        assert there <= HOMES
        here = [Path(name) for name in ("/tmp", "/var/tmp", "/run", "/dev/shm", "/var/log")]
        assert self.in_files(*here, Path.home(), self.host.project.directory) == set()
        assert not self.in_text(self.host.ssh("journalctl --no-pager --quiet --boot"))
        return there


def secrets_of(host: Provisioned) -> set[str]:
    secrets_for.cache_clear()
    return {s.reveal() for s in secrets_for("staging", host.project.directory)["askpro"].values()}


def read(path: Path) -> bytes:
    """Nothing of what is gone by now."""
    try:
        return path.read_bytes()
    except OSError:
        return b""


def files_below(*directories: Path, since: float = 0) -> list[Path]:
    """Those that are regular, and were changed since; others come and go meanwhile."""
    names = [word for name in OTHERS for word in ("-name", name, "-o")]
    starts = [f"{directory}/" for directory in directories]
    wanted = ["-type", "f", "-newerct", f"@{since}", "-print0"]
    command = ["find", *starts, "-mindepth", "1", "(", *names, "-false", ")", "-prune", "-o"]
    found = subprocess.run([*command, *wanted], capture_output=True, check=False).stdout
    return [Path(os.fsdecode(path)) for path in found.split(b"\0") if path]


@pytest.fixture(scope="module")
def talkative(trixie: Provisioned) -> Iterator[Provisioned]:
    """A server whose database logs every statement; healed of what ended runs left half done."""
    on = "SET GLOBAL general_log = {0}, GLOBAL slow_query_log = {0}, GLOBAL long_query_time = {1}"
    trixie.ssh("mariadb", input=on.format("ON", 0))
    trixie.project.forks = False  # what is watched is the command lines of programs
    yield trixie
    trixie.project.forks = True
    trixie.ssh("mariadb", input=on.format("OFF", 10))
    trixie.ssh("rm /var/lib/mysql/trixie*.log")
    trixie.project.apply("staging")


@pytest.fixture
def leaks(talkative: Provisioned) -> Leaks:
    return Leaks(talkative)


def test_runs_that_change_every_secret_show_none(leaks: Leaks) -> None:
    project = leaks.host.project
    leaks.rotate()
    with leaks.watching():
        plan = project.pyinfra("staging", "--dry", "--diff", "-vvv", "--debug-all")
        listed = project.pyinfra("staging", "--dry", "--json")
        applied = project.pyinfra("staging", *DETAILED)
        leaks.rotate()
        applied_again = project.pyinfra("staging", "-y", "--json")
    assert any("Installs a tree of files" in line for line in leaks.command_lines)
    for run in (plan, applied):
        assert " DB_PASSWORD differs (secret)" in run.output
    assert "nginx | Write the vhost of askpro-staging" in applied_again.changed
    assert "ALTER USER" not in leaks.host.ssh("cat /var/lib/mysql/trixie*.log")
    assert leaks.assert_none(plan, listed, applied, applied_again) == HOMES


FAULTS = {
    "the .env is refused": (
        "cd /var/www/askpro-staging/shared && mv .env /root/kept && mkdir .env",
        "cd /var/www/askpro-staging/shared && rmdir .env && mv /root/kept .env",
        "shared/.env is a directory",
    ),
    "the database refuses the passwords": (
        "mariadb -e \"INSTALL SONAME 'simple_password_check'\""
        " && mariadb -e 'SET GLOBAL simple_password_check_minimal_length = 200'",
        "mariadb -e \"UNINSTALL SONAME 'simple_password_check'\"",
        "Operation ALTER USER failed",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_run_that_fails_shows_none(leaks: Leaks, fault: str) -> None:
    cause, remedy, said = FAULTS[fault]
    leaks.rotate()
    leaks.host.ssh(cause)
    with leaks.watching():
        run = leaks.host.project.pyinfra("staging", *DETAILED)
    leaks.host.ssh(remedy)
    assert run.code == 1
    assert said in run.output
    leaks.assert_none(run)


def test_a_run_ended_by_ctrl_c_shows_none_and_the_next_one_heals(leaks: Leaks) -> None:
    """Ended where the app has its new password already and the database not yet."""
    leaks.rotate()
    seen = ""
    with leaks.watching():
        process = leaks.host.project.start("staging", *DETAILED)
        assert process.stderr
        while "Starting operation: Database | Create" not in seen:
            line = process.stderr.readline()
            assert line, seen
            seen += line
        process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate(timeout=30)
    run = Run(process.returncode, stdout, seen + stderr)
    assert run.code == 130
    assert "Interrupted: the next run goes on where this one stopped" in run.output
    assert "Traceback" not in run.output
    leaks.assert_none(run)
    project, health = leaks.host.project, "https://staging.askpro.test/health"
    project.apply("staging")
    assert project.plan("staging") == []
    assert leaks.host.web.get(health).status == 200


def test_a_refused_tree_shows_no_secret_and_changes_nothing(trixie: Provisioned) -> None:
    """The new nginx tree holds password hashes beside the template that is wrong."""
    listing = "find /etc/nginx -type f -exec sha256sum {} + | sort"
    present = trixie.ssh(listing)
    trixie.ssh("echo 'nonsense;' > /etc/nginx/conf.d/foreign.conf")
    with trixie.project.edited("staging", {"sites": {"shop": {"upload_limit": "3M"}}}):
        run = trixie.project.pyinfra("staging", "-y", "-vvv")
    trixie.ssh("rm /etc/nginx/conf.d/foreign.conf")
    assert run.code == 1
    assert "refused by nginx -t" in run.output
    assert "nothing was changed on this server" in run.output
    assert 'unknown directive "nonsense"' in run.output
    assert not any(secret in run.output for secret in secrets_of(trixie))
    assert trixie.ssh(listing) == present
    assert trixie.web.get("https://shop.test/health").status == 200
    trixie.project.apply("staging")
