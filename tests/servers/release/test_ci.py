"""The keys of CI: what they can do, and that they can do nothing else."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from project import Project, Run
from provisioned import CONNECTIONS, STATE, quote
from tampering import Guarded, Tamper, told
from web import Web

from stagecraft import services

PROGRAM = "sudo -n /usr/local/sbin/stagecraft"
KNOWN_COMMIT = "0123456789" * 4

APP = {
    "build": [],
    "configure": [],
    "migrate": None,
    "workers": {},
    "scheduler": False,
}
INDEX = (
    "<?php echo json_encode(['status' => 'ok',"
    " 'commit' => trim(file_get_contents(dirname(__DIR__) . '/REVISION'))]);\n"
)


@dataclass
class Runner:
    """A machine of CI's: a checkout of the project, with no secrets, and one key."""

    guarded: Guarded
    project: Project
    key: Path
    account: str

    def stagecraft(self, *words: str, also: Sequence[Path] = ()) -> Run:
        process = self.start(*words, also=also)
        output, errors = process.communicate(timeout=120)
        return Run(process.returncode, output, errors)

    def start(self, *words: str, also: Sequence[Path] = ()) -> subprocess.Popen[str]:
        """The operator's command, with the keys where ssh finds them by itself: in an agent."""
        keys = " ".join(map(str, [self.key, *also]))
        command = ["ssh-agent", "sh", "-c", f'ssh-add -q {keys} && exec "$@"', "agent"]
        return subprocess.Popen(
            [*command, sys.executable, "-m", "stagecraft", *words, "--ci"],
            cwd=self.project.directory,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def ssh(self, *words: str, input: str = "") -> Run:
        """What a client of the attacker's own asks for. Options begin with a hyphen."""
        options = [word for word in words if word.startswith("-")]
        command = [word for word in words if not word.startswith("-")]
        if not options:  # over a connection that stays
            socket = f"{CONNECTIONS.name}/{self.account}"
            options = [
                "-T",
                "-oControlMaster=auto",
                "-oControlPersist=5",
                f"-oControlPath={socket}",
            ]
        done = subprocess.run(
            [*self.client("ssh", "-l", self.account), *options, self.address, *command],
            input=input,
            capture_output=True,
            text=True,
            timeout=60,
        )
        return Run(done.returncode, done.stdout, done.stderr)

    def client(self, program: str, *options: str) -> list[str]:
        pinned = f"-oUserKnownHostsFile={self.project.directory}/known_hosts"
        only = ["-oIdentitiesOnly=yes", "-oIdentityAgent=none", "-oBatchMode=yes"]
        return [program, "-F", "none", "-i", str(self.key), *only, pinned, *options]

    @property
    def address(self) -> str:
        return self.guarded.server.address


@dataclass
class Ci:
    guarded: Guarded
    staging: Runner
    production: Runner
    app: Path

    def commit(self, text: str) -> str:
        """On main, and on a branch that staging gets."""
        (self.app / "public/robots.txt").write_text(text)
        git(self.app, "add", "--all")
        git(self.app, "commit", "--quiet", f"--message={text}")
        git(self.app, "branch", "--force", "feature/customer-portal")
        return git(self.app, "rev-parse", "HEAD")

    def serving(self, environment: str) -> str:
        current = self.guarded.shell(f"readlink /var/www/askpro-{environment}/current")
        return self.guarded.shell(f"cat /var/www/askpro-{environment}/{current}/REVISION")

    def journal(self, environment: str) -> list[dict[str, Any]]:
        path = f"/var/log/stagecraft/askpro-{environment}/journal.jsonl"
        lines = self.guarded.shell(f"cat {path} 2>/dev/null || true").splitlines()
        return [json.loads(line) for line in lines]


def git(directory: Path, *words: str) -> str:
    who = ["-c", "user.name=Anna", "-c", "user.email=anna@askpro.test"]
    command = ["git", "-C", str(directory), *who, *words]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def keygen(path: Path) -> str:
    command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", path.name, "-f", str(path)]
    subprocess.run(command, check=True)
    return path.with_suffix(".pub").read_text().strip()


@pytest.fixture(scope="module")
def ci(guarded: Guarded, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ci]:
    with with_ci(guarded, tmp_path_factory.mktemp("ci"), {}) as ci:
        yield ci


@pytest.fixture(scope="module")
def ci_12(guarded_12: Guarded, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ci]:
    """On Debian 12, where production takes only what staging has run well."""
    apps = {
        "staging": {"hooks": {"before_switch": ["sleep 4"]}},
        "production": {"proven_in": "staging"},
    }
    with with_ci(guarded_12, tmp_path_factory.mktemp("ci"), apps) as ci:
        yield ci


@contextmanager
def with_ci(
    guarded: Guarded, directory: Path, apps: Mapping[str, Mapping[str, Any]]
) -> Iterator[Ci]:
    """Both environments have a CI and an application while this lasts."""
    app = directory / "askpro"
    (app / "public").mkdir(parents=True)
    (app / "public/index.php").write_text(INDEX)
    git(app, "init", "--quiet", "--initial-branch=main")
    with ExitStack() as edited:
        for name in ("staging", "production"):
            changes = {
                "ci": [keygen(directory / name)],
                "sites": {"askpro": {"app": APP | {"source": str(app), **apps.get(name, {})}}},
            }
            edited.enter_context(guarded.project.edited(name, changes))
        for name in ("staging", "production"):
            guarded.project.apply(name)
        project = checkout(guarded)
        staging, production = (
            Runner(guarded, project, directory / name, f"ci_{name}")
            for name in ("staging", "production")
        )
        yield Ci(guarded, staging, production, app)
    for name in ("staging", "production"):
        guarded.shell(
            f"cd /var/www/askpro-{name} && ln -sfn releases/placeholder current"
            " && find releases -mindepth 1 -maxdepth 1 ! -name placeholder -exec rm -r {} +;"
            f" rm -rf builds /var/lib/stagecraft/sites/askpro-{name}"
            f" /var/log/stagecraft/askpro-{name}; systemctl reload php-fpm@askpro-{name}"
        )
        guarded.project.apply(name)


def checkout(guarded: Guarded) -> Project:
    """As a runner has it: no .stagecraft/, and the server by its address."""
    project = Project(STATE / f"projects/ci-{guarded.server.name}")
    files = {
        path.stem: yaml.safe_load(path.read_text())
        for path in (guarded.project.directory / "group_data").glob("*.yml")
    }
    machine = files["all"]["servers"][guarded.server.name]
    machine |= {"address": guarded.server.address, "throwaway": False}
    del machine["ssh_config"]
    project.write(**files)
    key = (guarded.server.root / "etc/ssh/ssh_host_ed25519_key.pub").read_text()
    (project.directory / "known_hosts").write_text(f"{guarded.server.address} {key}")
    return project


# --- What it can do ---


def test_a_branch_reaches_staging_and_staging_comes_back(ci: Ci) -> None:
    first, second = ci.commit("first"), ci.commit("second")
    for commit in (first, "feature/customer-portal"):
        done = ci.staging.stagecraft("release", "staging", commit)
        assert done.code == 0, done.output
    assert ci.serving("staging") == second
    done = ci.staging.stagecraft("releases", "staging")
    assert done.code == 0 and "feature/customer-portal" in done.stdout, done.output
    done = ci.staging.stagecraft("rollback", "staging")
    assert done.code == 0, done.output
    assert ci.serving("staging") == first
    done = ci.staging.stagecraft("follow", "staging")
    assert "nothing is going on at askpro-staging" in done.stderr, done.output


def test_the_journal_says_that_it_was_ci(ci: Ci) -> None:
    ci.commit("posing")
    assert ci.staging.stagecraft("release", "staging").code == 0
    entry = ci.journal("staging")[-1]
    assert entry["by"].startswith("CI of staging, for ")
    assert entry["login"].split()[0] == "ci_staging"


def test_main_reaches_production_with_production_s_key(ci: Ci) -> None:
    commit = ci.commit("live")
    words = ("release", "production", "--confirm", "production")
    refused = ci.staging.stagecraft(*words)
    assert refused.code == 1 and "the login to guarded failed" in refused.stderr, refused.output
    assert not ci.journal("production")
    done = ci.production.stagecraft(*words)
    assert done.code == 0, done.output
    assert ci.serving("production") == commit


def test_what_staging_s_ci_has_run_well_reaches_production_on_debian_12(ci_12: Ci) -> None:
    """Production's job has both keys. Visitors of staging are kept out meanwhile."""
    staging, production = ci_12.staging, ci_12.production
    words = ("release", "production", "--confirm", "production")
    commit = ci_12.commit("live")
    never = production.stagecraft(*words, also=[staging.key])
    assert never.code == 1 and f"staging has never run {commit[:7]}" in never.stderr, never.output
    process = staging.start("release", "staging", "main", "--maintenance")
    web, seen = Web(staging.address), set()
    while process.poll() is None:
        seen.add(web.get("https://staging.askpro.test/").status)
    output, errors = process.communicate()
    assert 503 in seen and web.get("https://staging.askpro.test/").status == 200
    assert process.returncode == 0, output + errors
    assert ci_12.journal("staging")[-1]["downtime"] >= 4
    assert "well-known" not in output
    unknown = production.stagecraft(*words)
    assert unknown.code == 1 and "is unknown" in unknown.stderr, unknown.output
    done = production.stagecraft(*words, also=[staging.key])
    assert done.code == 0, done.output
    assert ci_12.serving("production") == commit
    other = staging.ssh(f"{PROGRAM} releases askpro-production")
    assert "CI of staging has no site askpro-production" in other.stderr, other.output


# --- What it cannot ---

OTHERS = [
    "id",
    "bash -c id",
    "sudo -n id",
    "sudo -n -u askpro-staging id",
    "/usr/lib/openssh/sftp-server",
    "internal-sftp",
    "scp -t /tmp",
    f"LD_PRELOAD=/tmp/x.so {PROGRAM} releases askpro-staging",
    PROGRAM,
    f"{PROGRAM} ci production",
    f"{PROGRAM} recover",
    f"{PROGRAM} perform askpro-staging x",
    f"{PROGRAM} configure askpro-staging --within-run",
    f"{PROGRAM} -h",
    f"{PROGRAM} rel askpro-staging",
    f"{PROGRAM} 'releases askpro-staging",
    "sudo -n -E /usr/local/sbin/stagecraft releases askpro-staging",
]


def test_it_knows_four_commands(ci: Ci) -> None:
    for command in OTHERS:
        done = ci.staging.ssh(command, input="id\n")
        assert (done.code, done.stdout) == (1, ""), command
        can = "CI of staging can only release, rollback, releases, follow; it has no shell"
        assert done.stderr == f"Error: {can}\n", command


SITES = ["askpro-production", "../askpro-staging", "askpro-staging/../askpro-production", "'*'"]


def test_it_knows_its_own_site(ci: Ci) -> None:
    before, serving = ci.journal("production"), ci.serving("production")
    for verb in ("release", "rollback", "releases", "follow"):
        options = f"--commit {KNOWN_COMMIT} --size 3" if verb == "release" else ""
        for site in SITES:
            done = ci.staging.ssh(f"{PROGRAM} {verb} {site} {options}", input="abc")
            said = f"Error: CI of staging has no site {site.strip(chr(39))}\n"
            assert (done.code, done.stdout, done.stderr) == (1, "", said)
    assert (ci.journal("production"), ci.serving("production")) == (before, serving)


PWNED = "/tmp/pwned"

ENDS = [
    f"; touch {PWNED}",
    f"&& touch {PWNED}",
    f"| touch {PWNED}",
    f"$(touch {PWNED})",
    f"`touch {PWNED}`",
    f"\ntouch {PWNED}",
    f"\r\ntouch {PWNED}",
    f"> {PWNED}",
    f"'\n{PROGRAM} releases askpro-production",
    f"--by 'x\n' ; touch {PWNED}",
    "askpro-production x",
    "--site askpro-production",
    "--within-run",
    "--no",
    "@/etc/shadow",
]


def test_it_has_no_shell_for_its_words(ci: Ci) -> None:
    before = ci.serving("staging")
    for verb in ("releases", "rollback"):
        for end in ENDS:
            done = ci.staging.ssh(f"{PROGRAM} {verb} askpro-staging {end}")
            assert done.code in (1, 2) and not done.stdout, done.output
            assert "Traceback" not in done.stderr and "root:" not in done.stderr
    assert ci.guarded.shell(f"ls {PWNED} 2>/dev/null || true") == ""
    assert ci.serving("staging") == before


UPLOADS = {
    "--size 3000000000": "CI can upload 2000000000 bytes",
    "--size 3": "another size than the 3 bytes",
    "--size=-2": "an archive of -2 bytes is none",
    f"--size 9{'9' * 1500}": "CI can upload",
    "--size 3 --by 'a\nb'": "printable characters",
    f"--size 3 --by {'a' * 2000}": "at most 2000",
    "--size 3 --commit ../../etc": "is not a full commit id",
}


def test_what_it_uploads_is_bounded(ci: Ci) -> None:
    for options, said in UPLOADS.items():
        command = f"{PROGRAM} release askpro-staging --commit {KNOWN_COMMIT} {options}"
        done = ci.staging.ssh(command, input="x" * 100_000)
        assert done.code == 1 and not done.stdout, done.output
        assert said in done.stderr and "Traceback" not in done.stderr
    state = "/var/lib/stagecraft/sites/askpro-staging/actions"
    assert ci.guarded.shell(f"ls {state}") == ""


LIMITS = """
slice=stagecraft-ci_staging.slice
! grep -q "/$slice/" /proc/$(pgrep -f '[s]tagecraft ci staging' | tail -1)/cgroup || echo yes
systemctl show --value --property=MemoryMax --property=TasksMax $slice
awk '/Max processes/ { print $3, $4 }' /proc/$(pgrep -u ci_staging sshd | head -1)/limits
"""


def test_it_uploads_one_archive_at_a_time(ci: Ci) -> None:
    words = f"{PROGRAM} release askpro-staging --commit {KNOWN_COMMIT} --size 3 --by"
    login = [*ci.staging.client("ssh", "-l", ci.staging.account), ci.staging.address]
    with subprocess.Popen([*login, f"{words} first"], stdin=subprocess.PIPE) as first:
        ci.guarded.shell(
            "timeout 20 sh -c 'until ls /var/lib/stagecraft/sites/askpro-staging/actions/upload-*;"
            " do sleep 0.1; done'"
        )
        second = ci.staging.ssh(f"{words} second", input="abc")
        limits = ci.guarded.shell(LIMITS)
        first.kill()
    assert second.code == 1
    assert "askpro-staging is busy: release by CI of staging, for first since" in second.stderr
    assert limits.split() == ["yes", "268435456", "64", "32", "32"]


def test_ssh_gives_it_nothing_else(ci: Ci) -> None:
    staging, releases = ci.staging, f"{PROGRAM} releases askpro-staging"
    shell = staging.ssh(input="id\n")
    assert shell.code == 1 and "it has no shell" in shell.stderr and not shell.stdout
    terminal = staging.ssh("-tt", releases)
    assert "PTY allocation request failed" in terminal.stderr and not terminal.stdout
    through = staging.ssh("-W127.0.0.1:443")
    assert through.code == 255 and "prohibited" in through.stderr, through.output
    for forwarding in ("-R8022:127.0.0.1:22", "-R/tmp/x.sock:127.0.0.1:22"):
        back = staging.ssh("-oExitOnForwardFailure=yes", forwarding, releases)
        assert back.code == 255 and "forwarding failed" in back.stderr, back.output
    for program, *words in (["sftp"], ["scp", "-O"], ["scp", "-s"]):
        target = f"{staging.account}@{staging.address}:/etc/hostname"
        command = [*staging.client(program, *words), target, *(["/tmp"] * (program == "scp"))]
        copied = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
        assert copied.returncode and not copied.stdout, copied.stdout


VARIABLES = {
    "SSH_ORIGINAL_COMMAND": f"{PROGRAM} releases askpro-production",
    "LD_PRELOAD": "/tmp/x.so",
    "PYTHONPATH": "/tmp",
    "ENV": "/tmp/x",
    "SUDO_USER": "anna",
    "LC_ALL": "../../../tmp/x",
    "LANG": "de_DE.ISO-8859-1",
}


def test_variables_change_nothing(ci: Ci) -> None:
    asked = f"{PROGRAM} releases askpro-staging"
    plain = ci.staging.ssh(asked)
    assert plain.code == 0
    variables = " ".join(f'"{name}={value}"' for name, value in VARIABLES.items())
    sent = ci.staging.ssh(f"-oSetEnv={variables}", asked)
    assert (sent.code, sent.stdout) == (0, plain.stdout), sent.output


STAGING = services.Ci("staging").command

AS_ITS_ACCOUNT = [
    "sudo -n id",
    "sudo -n -u askpro-production id",
    "sudo -n -g root id",
    "sudo -n -l -U root",
    "sudo -n /usr/local/sbin/stagecraft ci production",
    "sudo -n /usr/local/sbin/stagecraft ci staging",
    f"sudo -n {services.Ci('production').command}",
    f"sudo -n {STAGING} x",
    "sudo -n /usr/local/sbin/stagecraft releases askpro-staging",
    f"sudo -n LD_PRELOAD=/tmp/x.so {STAGING}",
    f"sudo -n --preserve-env=PATH {STAGING}",
    f"sudo -n -R /tmp {STAGING}",
    f"sudo -n -D /tmp {STAGING}",
    f"sudo -n -g ci_production {STAGING}",
    "sudo -n -e /etc/shadow",
    "cat /etc/sudoers.d/stagecraft",
    "cat /var/log/stagecraft/askpro-staging/journal.jsonl",
    "touch /var/lib/stagecraft/ci/x",
    "touch /etc/ssh/authorized_keys.d/ci_staging",
]


def test_not_even_a_shell_of_its_account_would_help(ci: Ci) -> None:
    """As if the forced command had been got around. As a control, the one command works."""
    asked = f"SSH_ORIGINAL_COMMAND={quote(f'{PROGRAM} releases askpro-staging')}"
    become = f"{asked} setpriv --reuid ci_staging --regid ci_staging --init-groups sh -c"
    attempts = "".join(
        f"{become} {quote(command)} >/dev/null 2>&1 </dev/null && echo {quote(command)};"
        for command in [*AS_ITS_ACCOUNT, f"sudo -n {STAGING}"]
    )
    assert ci.guarded.shell(attempts) == f"sudo -n {STAGING}"


# --- What the check finds, and what a run removes ---

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBkh8OvA2kGLyuPNCAcLMKd4sLFpkV1jgPVqjxyTtYWb mallory"
KEYS = "/etc/ssh/authorized_keys.d"
SUDOERS = "/etc/sudoers.d/stagecraft"
HOME = "/var/lib/stagecraft/ci"


def managed(kind: str, thing: str) -> tuple[str, str, str, str]:
    return "managed", "critical", kind, thing


TAMPERS = [
    Tamper(f"echo '{KEY}' >>{KEYS}/ci_staging", managed("file", f"{KEYS}/ci_staging")),
    Tamper(f"echo 'ci_staging ALL=(ALL) NOPASSWD: ALL' >>{SUDOERS}", managed("file", SUDOERS)),
    Tamper("usermod --shell /bin/bash ci_staging", managed("account", "ci_staging")),
    Tamper(f"useradd --system -s /bin/sh -d {HOME} ci_qa", managed("account", "ci_qa")),
    Tamper(
        "useradd --system -s /bin/sh ci_mallory", ("unmanaged", "high", "account", "ci_mallory")
    ),
    Tamper(f"echo '{KEY}' >{KEYS}/ci_mallory", managed("file", f"{KEYS}/ci_mallory")),
]


def test_the_check_finds_what_somebody_adds(ci: Ci) -> None:
    """A run puts it right, as far as a run made it; and a second one has nothing to do."""
    assert ci.guarded.check().findings == []
    ci.guarded.shell(" && ".join(tamper.change for tamper in TAMPERS))
    report = ci.guarded.check()
    assert sorted(map(told, report.findings)) == sorted(tamper.finding for tamper in TAMPERS)
    assert not report.unchecked
    ci.guarded.shell("userdel ci_mallory")
    ci.guarded.project.apply("production")
    assert ci.guarded.project.plan("staging") == []


def test_a_key_that_no_file_lists_opens_nothing(ci: Ci, tmp_path: Path) -> None:
    """After a run of any environment: who may log in is one question for the machine. Each time
    over a connection of its own (-T), because one that is open stays."""
    asked = f"{PROGRAM} releases askpro-production"
    assert ci.production.ssh("-T", asked).code == 0
    with ci.guarded.project.edited("production", {"ci": [keygen(tmp_path / "new")]}):
        ci.guarded.project.apply("staging")
    assert ci.production.ssh("-T", asked).code == 255
    with ci.guarded.project.edited("production", {"ci": []}):
        ci.guarded.project.apply("staging")
    left = (
        f"getent passwd ci_production; ls {KEYS}/ci_production;"
        " grep -r ci_production /etc/sudoers.d /etc/ssh/sshd_config.d"
    )
    assert ci.guarded.shell(f"{{ {left}; }} 2>/dev/null || true") == ""
    assert ci.staging.ssh(f"{PROGRAM} releases askpro-staging").code == 0
