"""First contacts as providers allow them, each ending in a whole run, and what follows them: the
same command again, another host key, new keys for people, ports for others.

The tests of a server build on each other, as the runs of its operator would.
"""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import paramiko
import pytest
import yaml
from bare import DEPLOY, DROP_IN, ROOT, VERB, Bare, await_, link_local, nothing_armed, suite_of
from judges import ssh_audit
from project import Project, Run
from provisioned import STATE
from watcher import Way, own_sources, sources

from lab import containers
from lab.lab import Lab

PASSWORD = "first-contact"


@dataclass
class Rented(Bare):
    """A bare server, and how its provider lets its operator in."""

    arguments: tuple[str, ...] = ()
    password: str = ""

    def declared(self, name: str, **settings: Any) -> Project:
        """A project that reaches the server by its address, with a pin of its own, and whose
        secrets nobody has made yet."""
        project = Project(STATE / "projects" / f"{self.server.name}-{name}")
        self.declare_by_address(project, **settings)
        return project

    def declare_by_address(self, project: Project, **settings: Any) -> None:
        self.declare(project, address=self.server.address, ssh_key=str(self.key), **settings)
        path = project.directory / "group_data/all.yml"
        text = yaml.safe_load(path.read_text())
        text["servers"][self.server.name]["throwaway"] = False
        path.write_text(yaml.safe_dump(text))

    def first_contact(self, project: Project, *arguments: str) -> Run:
        run = project.start("staging", *arguments, *self.arguments, verb=VERB)
        output, errors = run.communicate(f"{self.password}\n", timeout=300)
        return Run(run.returncode, output, errors)


def by_password(lab: Lab) -> Rented:
    server = lab.boot("rented-trixie", "trixie")
    rented = Rented(server, lab, arguments=("--user", "root", "--ssh-password-prompt"))
    rented.password = PASSWORD
    rented.shell(f"echo root:{PASSWORD} | chpasswd; rm -r /root/.ssh")
    rented.shell("echo 'PermitRootLogin yes' > /etc/ssh/sshd_config.d/50-provider.conf")
    rented.shell("systemctl reload ssh")
    return rented


def by_sudo(lab: Lab) -> Rented:
    """The provider was given another key than the ones that the team logs in with."""
    server = lab.boot("rented-bookworm", "bookworm", sudo_account=True)
    key = make_key(STATE / "provider-key", "provider")
    rented = Rented(server, lab, arguments=("--user", "debian", "--key", str(key)))
    rented.shell(
        f"echo '{key.with_suffix('.pub').read_text()}' > /home/debian/.ssh/authorized_keys"
    )
    return rented


def make_key(path: Path, comment: str) -> Path:
    command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", str(path)]
    subprocess.run(command, check=True)
    return path


@pytest.fixture(scope="module", params=["trixie", "bookworm"])
def bare(request: pytest.FixtureRequest, lab: Lab) -> Iterator[Rented]:
    bare = {"trixie": by_password, "bookworm": by_sudo}[request.param](lab)
    with own_sources(bare.server.address):
        yield bare
    lab.down(bare.server.name)


@pytest.fixture(scope="module")
def project(bare: Rented) -> Project:
    return bare.declared("project")


@pytest.fixture(scope="module")
def new_key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_key(tmp_path_factory.mktemp("keys") / "key", "anna@new")


# --- Before ---


def test_ssh_audit_s_policy_refuses_a_stock_server(bare: Rented) -> None:
    verdict = ssh_audit(bare.server)
    assert verdict.returncode == 3, verdict.stdout
    assert "Failed!" in verdict.stdout
    bare.shell("systemctl restart ssh")  # Debian 13's forgets our bad manners


@suite_of(13)
def test_an_expired_password_ends_the_run_before_it_begins(bare: Rented, project: Project) -> None:
    bare.shell("chage -d 0 root")
    run = bare.first_contact(project, "-y")
    bare.shell("chage -d 20000 root")
    assert run.code == 1
    assert "log in once with ssh and set a new one" in run.output
    assert "Starting operation" not in run.output
    assert "Traceback" not in run.output
    assert PASSWORD not in run.output


def test_a_run_before_the_first_contact_says_what_a_new_server_needs(
    bare: Rented, project: Project
) -> None:
    run = project.pyinfra("staging", "--dry", verb=VERB)
    assert run.code == 1
    assert "A new server needs bootstrap.py first (README, `A new server`)" in run.output


# --- First contact ---


def test_the_run_changes_what_the_plan_of_the_bare_server_lists(
    bare: Rented, project: Project
) -> None:
    """And neither needs a secret of the sites."""
    plan = bare.first_contact(project, "--dry", "--json")
    assert plan.code == 0, plan.output
    run = bare.first_contact(project, "-y", "--json")
    assert run.code == 0, run.output
    assert set(run.changed) == set(plan.planned)
    assert len(run.changed) > 15
    assert not bare.password or bare.password not in plan.output + run.output
    assert nothing_armed(bare)


def test_only_the_declared_accounts_are_let_in_afterwards(bare: Rented) -> None:
    assert bare.lets_in(DEPLOY)
    assert bare.lets_in(Way("anna"))
    assert not bare.lets_in(ROOT)
    assert not bare.lets_in(Way("debian"))
    assert methods(bare, "root") == ["publickey"]


def methods(bare: Rented, user: str) -> list[str]:
    """By what sshd would let this account in, as it says itself."""
    with paramiko.Transport((bare.server.address, 22)) as transport:
        transport.start_client(timeout=5)
        with pytest.raises(paramiko.BadAuthenticationType) as refusal:
            transport.auth_none(user)
    return refusal.value.allowed_types


def test_the_same_command_again_changes_nothing(bare: Rented, project: Project) -> None:
    """It goes on as the inventory says, and names what was wrong."""
    run = bare.first_contact(project, "-y", "--json")
    assert run.code == 0, run.output
    assert run.changed == []
    assert "was refused: this server is already bootstrapped. Continuing as deploy" in run.stderr


# --- Another host key ---


@suite_of(13)
def test_another_host_key_ends_every_run_and_says_what_to_do(
    bare: Rented, project: Project
) -> None:
    pins = project.directory / "known_hosts"
    pins.write_text(f"# a comment\n{pins.read_text()}")
    pinned = fingerprint(bare)
    bare.shell("cd /etc/ssh && mkdir old && cp -p ssh_host_* old && rm ssh_host_*")
    bare.shell("ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/ssh_host_ed25519_key")
    bare.shell("systemctl restart ssh")
    for run in (project.pyinfra("staging", "--dry", verb=VERB), bare.first_contact(project, "-y")):
        assert run.code == 1
        assert f"{bare.server.name}] {bare.server.address} has another host key" in run.output
        assert f"pinned:  ssh-ed25519 {pinned}, in {pins}, line 2" in run.output
        assert f"offered: ssh-ed25519 {fingerprint(bare)}" in run.output
        assert "ssh-keygen -R" not in run.output  # pyinfra's advice, for another file
    (advice,) = [line for line in run.output.splitlines() if "ssh-keygen -f" in line]
    subprocess.run(["sh", "-c", advice], check=True, capture_output=True)
    assert project.plan("staging", verb=VERB) == []
    bare.shell("cd /etc/ssh && mv old/* . && rmdir old && systemctl restart ssh")
    pins.unlink()


def fingerprint(bare: Rented) -> str:
    return bare.shell("ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub").split()[1]


# --- Cut off ---


@suite_of(13)
def test_a_change_that_nobody_confirmed_is_undone_after_a_power_cut(bare: Rented) -> None:
    project = bare.declared("turned-away")
    project.spoil("tasks/sshd.py", "accounts=settings.logins", 'accounts=["anna"]')
    run = project.start("staging", "-y", verb=VERB)
    await_(lambda: "AllowUsers anna\n" in bare.file(DROP_IN), 60)
    run.kill()
    run.communicate()
    await_(lambda: not bare.lets_in(DEPLOY), 10)
    cut_power(bare)
    assert bare.lets_in(DEPLOY)
    assert nothing_armed(bare)


def cut_power(bare: Rented) -> None:
    """No unit is stopped, no file system is unmounted."""
    before = containers.leader(bare.server.root)
    command = ["systemctl", "reboot", "--force", "--force"]
    subprocess.run(["nsenter", f"--target={before}", "--all", *command], check=False)
    await_(lambda: containers.leader(bare.server.root) not in (before, None), 30)
    bare.server.wait()


@suite_of(13)
def test_what_is_left_of_a_confirmation_cut_in_half_goes_with_the_next_run(
    bare: Rented, project: Project
) -> None:
    """The server did not undo it: it was confirmed. Only the unit stayed that would have."""
    unit = "/etc/systemd/system/stagecraft-revert.service"
    bare.shell(f"printf '[Service]\\nExecStart=true\\n' > {unit}; systemctl daemon-reload")
    bare.shell("mkdir /var/lib/stagecraft/revert.confirmed")
    (changed,) = project.apply("staging", verb=VERB)
    assert changed.startswith("Access | Allow SSH on port")
    assert nothing_armed(bare)
    assert bare.shell("ls /var/lib/stagecraft").split() == ["as-found", "manifests"]


# --- People come and go ---


@suite_of(12)
def test_a_run_does_not_remove_the_account_that_it_is_logged_in_as(
    bare: Rented, project: Project
) -> None:
    ours = f"{bare.key}.pub"
    bare.declare_by_address(project, admins={"anna": [ours], "bob": [ours]})
    project.apply("staging", verb=VERB)
    bare.declare_by_address(project, admins={"anna": [ours]})
    run = project.pyinfra("staging", "-y", "--user", "bob", verb=VERB)
    assert run.code == 1
    assert "this run would remove bob, the account that it is logged in as" in run.output
    assert "Starting operation" not in run.output
    assert bare.lets_in(Way("bob"))
    project.apply("staging", verb=VERB)
    assert not bare.lets_in(Way("bob"))


@suite_of(12)
def test_an_account_that_was_there_before_loses_our_rights_alone(
    bare: Rented, project: Project
) -> None:
    ours = f"{bare.key}.pub"
    theirs = "getent passwd debian; find /home/debian -printf '%p %u %m\\n'; id -Gn debian"
    before = bare.shell(theirs)
    bare.declare_by_address(project, admins={"anna": [ours], "debian": [ours]})
    adopted = "Accounts | Let the existing account debian become root"
    assert adopted in project.apply("staging", verb=VERB)
    assert bare.lets_in(Way("debian"))
    bare.declare_by_address(project, admins={"anna": [ours]})
    let_go = (
        "Removed accounts | Remove our rights from the account debian, which existed before"
        " and stays"
    )
    assert let_go in project.apply("staging", verb=VERB)
    assert not bare.lets_in(Way("debian"))
    assert bare.shell(theirs) == before
    assert project.plan("staging", verb=VERB) == []


# --- Ports for others ---

ECHO = """
import socket
plain = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
plain.bind(("", 53))
while True:
    data, sender = plain.recvfrom(100)
    plain.sendto(data, sender)
"""


@suite_of(12)
def test_declared_ports_are_open_to_their_sources_and_to_nobody_else(
    bare: Rented, project: Project
) -> None:
    clients = sources(bare.server.address)
    near, far = f"{clients}.5", f"{clients}.200"
    openings = {
        "metrics": {"port": 9100, "sources": [f"{clients}.0/25"]},
        "everybody": {"port": 9200},
        "neighbours": {"port": 9300, "sources": ["fe80::/10"]},
        "elsewhere": {"port": 9400, "sources": ["203.0.113.0/24", "2001:db8::/32"]},
        "dns": {"port": 53, "protocol": "udp", "sources": [f"{clients}.0/25"]},
    }
    ports = (9100, 9200, 9300, 9400, 9500)
    for port in ports:
        listener = f"python3 -m http.server --bind :: {port}"
        bare.shell(f"systemd-run --quiet --unit=listener-{port} {listener}")
    bare.shell(f"systemd-run --quiet --unit=listener-53 python3 -c '{ECHO}'")
    await_(lambda: listening(bare) >= {53, *ports}, 10)
    assert reached(bare, near, ports) == []
    bare.declare_by_address(project, firewall={"open": openings})
    opened = "open ports 80/tcp, 443/tcp, 9200/tcp to everybody"
    assert opened in project.apply("staging", verb=VERB)[0]
    assert reached(bare, near, ports) == [9100, 9200]
    assert reached(bare, far, ports) == [9200]
    assert reached(bare, "::", ports) == [9200, 9300]
    assert echoes(bare, near)
    assert not echoes(bare, far)
    bare.declare_by_address(project)
    project.apply("staging", verb=VERB)
    assert reached(bare, near, ports) == []
    assert not echoes(bare, near)


def listening(bare: Rented) -> set[int]:
    sockets = bare.shell("ss --no-header --listening --numeric --tcp --udp").splitlines()
    return {int(line.split()[4].rpartition(":")[2]) for line in sockets}


def reached(bare: Rented, source: str, ports: tuple[int, ...]) -> list[int]:
    """The ports that answer a client with this address; by IPv6 for one of these."""
    address = link_local(bare) if ":" in source else bare.server.address
    return [port for port in ports if answers(source, address, port)]


def answers(source: str, address: str, port: int) -> bool:
    try:
        socket.create_connection((address, port), 0.5, source_address=(source, 0)).close()
    except OSError:
        return False
    return True


def echoes(bare: Rented, source: str) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as plain:
        plain.bind((source, 0))
        plain.settimeout(0.5)
        plain.sendto(b"ping", (bare.server.address, 53))
        with suppress(OSError):
            return plain.recv(100) == b"ping"
    return False


# --- New keys ---


@suite_of(12)
def test_an_admin_s_key_is_rotated_as_the_readme_says(
    bare: Rented, project: Project, new_key: Path
) -> None:
    old, new = f"{bare.key}.pub", f"{new_key}.pub"
    bare.declare_by_address(project, admins={"anna": [old, new]})
    project.apply("staging", verb=VERB)
    bare.declare_by_address(project, admins={"anna": [new]})
    with_old = project.pyinfra("staging", "-y", verb=VERB)
    assert with_old.code == 1
    assert "None of your SSH keys is accepted for deploy" in with_old.output
    assert nothing_armed(bare)
    assert bare.lets_in(DEPLOY)
    with_new = ("--key", str(new_key))
    planned, _ = project.plan("staging", *with_new, verb=VERB)
    assert "remove anna's key" in planned
    project.apply("staging", *with_new, verb=VERB)
    assert project.plan("staging", *with_new, verb=VERB) == []
    assert not bare.lets_in(DEPLOY)
    assert not bare.lets_in(Way("anna"))


# --- Killed ---


def test_a_run_killed_after_each_operation_is_finished_by_the_next(lab: Lab) -> None:
    """Each goes on where the one before was killed, and all the while somebody is let in."""
    bare = Bare(lab.boot("killed"), lab)
    project = bare.project("killed")
    operations = project.plan("staging", "--user", "root", verb=VERB)
    with own_sources(bare.server.address), bare.watch(ROOT, DEPLOY) as seen:
        for operation in operations[:-1]:
            account = [] if bare.closed else ["--user", "root"]
            project.kill_after(operation, "staging", *account, verb=VERB)
        assert project.apply("staging", verb=VERB) == operations[-1:]
    assert not seen.outages
    assert seen.logins > len(operations)
    assert project.plan("staging", verb=VERB) == []
    assert nothing_armed(bare)
    assert not bare.lets_in(ROOT)
    lab.down("killed")
